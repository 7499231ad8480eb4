import Foundation
import Processes
import TestSupport

/// A server that speaks as S3 does and believes only what is signed: Python's moto, from PyPI, in an
/// environment of its own below `.build` that is made once.
struct S3Server: Sendable {
    let url: String
    let key: String
    let secret: String
    let bucket = "team"

    private static let version = "5.2.5"
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    private static let environment = root.appendingPathComponent(".build/moto").path

    /// The interpreter that has it; nil, with a line that says why, where it cannot be had.
    static let python: String? = {
        let python = environment + "/bin/python"
        let check = [
            "-c",
            "import moto.server, importlib.metadata as m; assert m.version('moto') == '\(version)'",
        ]
        if OfficialClient.run([python] + check).exit == .exited(0) { return python }
        let steps = [
            ["/usr/bin/python3", "-m", "venv", environment],
            [
                python, "-m", "pip", "install", "--quiet", "--no-compile",
                "moto[server,s3,iam]==\(version)",
            ],
            [python] + check,
        ]
        for step in steps {
            let (exit, output) = OfficialClient.run(step)
            guard exit == .exited(0) else {
                print("skipped: moto \(version) cannot be installed: \(output.suffix(300))")
                return nil
            }
        }
        return python
    }()

    /// Lends a server with one bucket and one user who may use it.
    static func lend(_ body: (S3Server) async throws -> Void) async throws {
        guard let python else { return }
        try await temporaryFolder { folder in
            let (port, output) = (try LoopbackPort.free(), folder + "/output")
            let child = try await ChildProcess.start(
                .init(
                    [python, "-c", script, "\(port)"],
                    environment: ["PATH": "/usr/bin:/bin", "INITIAL_NO_AUTH_ACTION_COUNT": "4"],
                    folder: folder, output: output, errors: folder + "/errors"))
            do {
                let words = try await words(of: child, output, errors: folder + "/errors")
                try await body(
                    S3Server(url: "http://127.0.0.1:\(port)", key: words[0], secret: words[1]))
            } catch {
                child.signalGroup(SIGKILL)
                _ = await child.exit()
                throw error
            }
            child.signalGroup(SIGKILL)
            _ = await child.exit()
        }
    }

    private static func words(
        of child: ChildProcess, _ path: String, errors: String
    ) async throws -> [String] {
        let deadline = ContinuousClock.now + .seconds(180)
        while child.isRunning, .now < deadline {
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            // Flask says things of its own before.
            let words = (text.split(separator: "\n").last ?? "").split(separator: " ")
                .map(String.init)
            if text.hasSuffix("\n"), words.count == 3, words[2] == "ready" { return words }
            try await Task.sleep(for: .milliseconds(100))
        }
        struct NotStarted: Error { var said: String }
        throw NotStarted(said: (try? String(contentsOfFile: errors, encoding: .utf8)) ?? "")
    }

    /// Serves, makes a user and a bucket while nobody has to sign, and says how to sign from then on.
    private static let script = """
        import json, sys, threading, time
        import boto3
        from moto.server import ThreadedMotoServer
        port = int(sys.argv[1])
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=port)
        server.start()
        options = dict(endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
                       aws_access_key_id="nobody", aws_secret_access_key="nothing")
        iam, s3 = boto3.client("iam", **options), boto3.client("s3", **options)
        iam.create_user(UserName="worker")
        key = iam.create_access_key(UserName="worker")["AccessKey"]
        policy = {"Version": "2012-10-17",
                  "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        iam.put_user_policy(UserName="worker", PolicyName="all", PolicyDocument=json.dumps(policy))
        s3.create_bucket(Bucket="team")
        print(key["AccessKeyId"], key["SecretAccessKey"], "ready", flush=True)
        threading.Event().wait()
        """
}

package import AsyncHTTPClient
package import FlywheelCore
import Foundation
import NIOCore
import NIOHTTP1
package import Processes
import Testing

/// The real `flywheel serve`, asked over HTTP.
package struct ServerProcess {
    /// A small model that Flywheel trained, with a tokenizer and ChatML.
    package static let golden = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Goldens/export").path

    /// Beside the tests' own executable.
    package static let executable: String = {
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent()
            .appendingPathComponent("flywheel").path
    }()

    /// Has connections for as many callers as a test has.
    package static let client = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    package static let environment = [
        "PATH": "/usr/local/bin:/usr/bin:/bin", "FLYWHEEL_HOME": "/nonexistent", "LANG": "C.UTF-8",
    ]

    package let child: ChildProcess
    /// Where it answers: `http://127.0.0.1:PORT/v1`.
    package let url: String
    package let fingerprint: String

    /// Starts a server of `folder` on any port, lends it to `body` once it is ready, and kills it.
    @discardableResult
    package static func lend<Output>(
        _ folder: String = golden, _ options: String...,
        to body: (ServerProcess) async throws -> Output
    ) async throws -> Output {
        try await lend(folder, options, to: body)
    }

    @discardableResult
    package static func lend<Output>(
        _ folder: String, _ options: [String],
        to body: (ServerProcess) async throws -> Output
    ) async throws -> Output {
        try await temporaryFolder { place in
            let child = try await ChildProcess.start(
                .init(
                    [executable, "serve", folder, "--address", "127.0.0.1:0", "--json"] + options,
                    environment: environment, output: "\(place)/out", errors: "\(place)/err"))
            defer { child.signalGroup(SIGKILL) }
            while child.isRunning {
                let text = FileManager.default.contents(atPath: "\(place)/out") ?? Data()
                if text.last == UInt8(ascii: "\n") {
                    let ready = try JSONValue(parsing: text)
                    return try await body(
                        ServerProcess(
                            child: child, url: try #require(ready["url"]?.string),
                            fingerprint: try #require(ready["fingerprint"]?.string)))
                }
                try await Task.sleep(for: .milliseconds(5))
            }
            let complaint = FileManager.default.contents(atPath: "\(place)/err") ?? Data()
            Issue.record("the server ended: \(String(decoding: complaint, as: UTF8.self))")
            throw CancellationError()
        }
    }

    /// Runs `flywheel` to its end; what it printed.
    package static func flywheel(_ arguments: [String]) async throws -> String {
        try await temporaryFolder { place in
            let child = try await ChildProcess.start(
                .init(
                    [executable] + arguments, environment: environment, output: "\(place)/out",
                    errors: "\(place)/err"))
            let exit = await child.exit()
            func text(_ name: String) -> String {
                String(
                    decoding: FileManager.default.contents(atPath: "\(place)/\(name)") ?? Data(),
                    as: UTF8.self)
            }
            #expect(exit == .exited(0), "\(text("err"))")
            return text("out")
        }
    }

    package struct Reply {
        package var status: Int
        package var headers: [String: String]
        package var text: String
        package var json: JSONValue { (try? JSONValue(parsing: text.utf8)) ?? .null }

        /// The events of a stream, without the mark of its end.
        package var events: [JSONValue] {
            text.split(separator: "\n\n").compactMap { line in
                line.hasPrefix("data: {") ? try? JSONValue(parsing: line.utf8.dropFirst(6)) : nil
            }
        }
        package var isDone: Bool { text.hasSuffix("data: [DONE]\n\n") }
    }

    package func request(_ path: String, _ body: JSONValue? = nil, text: String? = nil)
        -> HTTPClientRequest
    {
        // Paths beside /v1 are given with dots: `../metrics`.
        let base = path.hasPrefix("../") ? String(url.dropLast(2)) : url + "/"
        var request = HTTPClientRequest(
            url: base + (path.hasPrefix("../") ? String(path.dropFirst(3)) : path))
        if let given = text ?? body?.canonical {
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: given))
        }
        return request
    }

    package func send(_ path: String, _ body: JSONValue? = nil, text: String? = nil) async throws
        -> Reply
    {
        let response = try await Self.client.execute(
            request(path, body, text: text), timeout: .seconds(120))
        let buffer = try await response.body.collect(upTo: 64 << 20)
        return Reply(
            status: Int(response.status.code),
            headers: Dictionary(
                response.headers.map { ($0.name.lowercased(), $0.value) }
            ) { $1 },
            text: String(buffer: buffer))
    }

    /// The value of a series of `/metrics`, whose labels contain `label`.
    package func metric(_ name: String, _ label: String = "") async throws -> Double {
        let text = try await send("../metrics").text
        let line = text.split(separator: "\n").first {
            $0.hasPrefix("flywheel_\(name){") && (label.isEmpty || $0.contains(label))
        }
        return try #require(line?.split(separator: " ").last.flatMap { Double($0) }, "\(name)")
    }
}

extension JSONValue {
    package func with(_ members: [String: JSONValue]) -> JSONValue { merging(members) }

    package var numbers: [Double] { (array ?? []).compactMap(\.number) }
}

import ArtifactTransfer
import Artifacts
import FlywheelCore
import Foundation
import Processes
import TestSupport
import Testing

/// Amazon's own examples ("Authenticating Requests: Using the Authorization Header", 24 May 2013).
@Suite struct `A signature of S3` {
    private let signature = S3Signature(
        credentials: S3Credentials(
            key: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        date: Date(timeIntervalSince1970: 1_369_353_600))

    private func signed(
        _ method: String, _ path: String, _ query: [(String, String)] = [],
        _ headers: [String: String] = [:], _ body: String = ""
    ) -> String? {
        signature.headers(
            method: method, host: "examplebucket.s3.amazonaws.com", path: path, query: query,
            headers: headers, payload: Digest(of: body))["authorization"]?
            .split(separator: "Signature=").last.map(String.init)
    }

    @Test func `is that of Amazon's examples`() {
        #expect(
            signed("GET", "/test.txt", [], ["range": "bytes=0-9"])
                == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        #expect(
            signed(
                "PUT", "/test%24file.text", [],
                [
                    "date": "Fri, 24 May 2013 00:00:00 GMT",
                    "x-amz-storage-class": "REDUCED_REDUNDANCY",
                ], "Welcome to Amazon S3.")
                == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
        #expect(
            signed("GET", "/", [("lifecycle", "")])
                == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        #expect(
            signed("GET", "/", [("max-keys", "2"), ("prefix", "J")])
                == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }
}

@Suite(.serialized) struct `A bucket of artifacts` {
    private static let large: [UInt8] = {
        var numbers = SeededNumbers(seed: 12)
        return (0..<12_000_000).map { _ in UInt8.random(in: 0 ... .max, using: &numbers) }
    }()

    @Test func `keeps what one machine makes for all others, whole or in parts`() async throws {
        try await S3Server.lend { server in
            try await temporaryFolder { folder in
                let bucket = server.artifacts(partBytes: 5 << 20)
                func library(_ name: String) throws -> ArtifactLibrary {
                    var library = ArtifactLibrary(
                        try ArtifactStore(at: "\(folder)/\(name)"), behind: bucket)
                    library.patience = .seconds(30)
                    return library
                }
                let (maker, user) = (try library("maker"), try library("user"))
                let small = try maker.store.add(Array("small".utf8)).digest
                let large = try maker.store.add(Self.large).digest
                // The first part of the large one came before its maker was cut off.
                try await server.sendFirstPart(of: maker.store.path(of: large), large, of: 5 << 20)
                try await maker.keep([small, large])
                #expect(try await bucket.size(of: large) == Int64(Self.large.count))
                #expect(try await server.uploadsLeft() == 0, "parts are put together")
                do {
                    // What came before is not asked for again.
                    var coming = try had(IncomingFile(of: large, in: user.store))
                    try coming.append(Array(Self.large[..<7_000_000]))
                }
                try await user.bring([small, large])
                for digest in [small, large] { try user.store.verify(digest) }
                // A sweep sees what is there, and takes what it is told to.
                #expect(Set(try await bucket.old(.zero)) == [small, large])
                #expect(try await bucket.old(.seconds(3_600)) == [])
                try await bucket.remove(small)
                try await bucket.remove(small)
                #expect(try await bucket.size(of: small) == nil)
                let missing = try library("late")
                await #expect(throws: ArtifactError.self) { try await missing.bring([small]) }
            }
        }
    }

    @Test func `takes neither another's signature nor other bytes than were signed`() async throws {
        try await S3Server.lend { server in
            try await temporaryFolder { folder in
                var forger = server
                forger = S3Server(url: forger.url, key: forger.key, secret: "guessed")
                let store = try ArtifactStore(at: folder + "/store")
                let digest = try store.add(Array("mine".utf8)).digest
                let library = ArtifactLibrary(store, behind: forger.artifacts())
                await #expect(throws: RemoteArtifactError.self) { try await library.keep([digest]) }
                #expect(try await server.artifacts().size(of: digest) == nil)
            }
        }
    }
}

extension S3Server {
    func artifacts(partBytes: Int64 = 64 << 20) -> S3Artifacts {
        S3Artifacts(
            bucket: bucket, prefix: "flywheel/",
            credentials: S3Credentials(key: key, secret: secret), endpoint: url,
            partBytes: partBytes)
    }

    /// Begins an upload in parts and sends its first, as somebody who is cut off then.
    func sendFirstPart(of path: String, _ digest: Digest, of bytes: Int) async throws {
        let output = try python(
            """
            made = s3.create_multipart_upload(Bucket="team", Key="flywheel/sha256/\(digest)")
            part = open("\(path)", "rb").read(\(bytes))
            s3.upload_part(Bucket="team", Key="flywheel/sha256/\(digest)", UploadId=made["UploadId"],
                           PartNumber=1, Body=part)
            """)
        #expect(output == "")
    }

    func uploadsLeft() async throws -> Int {
        let output = try python(
            """
            print(len(s3.list_multipart_uploads(Bucket="team").get("Uploads", [])))
            """)
        return Int(output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
    }

    private func python(_ body: String) throws -> String {
        let setUp = """
            import boto3
            s3 = boto3.client("s3", endpoint_url="\(url)", region_name="us-east-1",
                              aws_access_key_id="\(key)", aws_secret_access_key="\(secret)")

            """
        let (exit, output) = OfficialClient.run([Self.python ?? "", "-c", setUp + body])
        #expect(exit == .exited(0), "\(output)")
        return output
    }
}

import ArtifactTransfer
import Artifacts
import AsyncHTTPClient
import FlywheelCore
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@Suite struct `A door to artifacts` {
    /// Numbers that no compression or coincidence makes alike.
    private static let large: [UInt8] = {
        var numbers = SeededNumbers(seed: 11)
        return (0..<3_000_000).map { _ in UInt8.random(in: 0 ... .max, using: &numbers) }
    }()

    @Test func `what one machine keeps, another has byte for byte, and both only once`()
        async throws
    {
        try await Site.lend { site in
            let maker = try site.library("maker")
            let digest = try maker.store.add(Self.large).digest
            try await maker.keep([digest])
            try site.store.verify(digest)
            try await maker.keep([digest])
            let user = try site.library("user")
            try await user.bring([digest])
            try user.store.verify(digest)
            let path = user.store.path(of: digest)
            let before = try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber]
            try await user.bring([digest])
            let after = try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber]
            #expect(before as? UInt64 == after as? UInt64)
        }
    }

    @Test func `what came before a cut is not asked for again, in either direction`() async throws {
        try await Site.lend { site in
            let maker = try site.library("maker")
            let digest = try maker.store.add(Self.large).digest
            let half = Self.large.count / 2
            do {
                var coming = try had(IncomingFile(of: digest, in: site.store))
                try coming.append(Array(Self.large[..<half]))
            }
            // The rest alone, behind it; another place is answered with where it goes on.
            let conflict = try await site.ask(
                "PATCH", digest, ["upload-offset": "7", "upload-length": "9"])
            #expect(conflict.status.code == 409)
            #expect(conflict.headers.first(name: "upload-offset") == "\(half)")
            try await maker.keep([digest])
            try site.store.verify(digest)

            let user = try site.library("user")
            do {
                // Wrong bytes, so that it would show if they were fetched again.
                var coming = try had(IncomingFile(of: digest, in: user.store))
                try coming.append(Array(Self.large[..<half]))
            }
            let range = try await site.ask("GET", digest, ["range": "bytes=\(half)-"])
            #expect(range.status == .partialContent)
            #expect(
                range.headers.first(name: "content-range")
                    == "bytes \(half)-\(Self.large.count - 1)/\(Self.large.count)")
            let rest = try await range.body.collect(upTo: 1 << 23)
            #expect(Array(rest.readableBytesView) == Array(Self.large[half...]))
            try await user.bring([digest])
            try user.store.verify(digest)
        }
    }

    @Test func `wrong bytes on the way are never taken for the artifact`() async throws {
        try await Site.lend { site in
            let user = try site.library("user")
            let digest = try site.store.add(Self.large).digest
            do {
                var coming = try had(IncomingFile(of: digest, in: user.store))
                try coming.append(Array("what another machine sent".utf8))
            }
            try await user.bring([digest])
            try user.store.verify(digest)

            let forged = Digest(of: "something else")
            let path = try site.file("forged", Array("not that".utf8))
            await #expect(throws: RemoteArtifactError.rejected(forged, site.url)) {
                try await user.keep(fileAt: path, as: forged)
            }
            #expect(!site.store.contains(forged))
        }
    }

    @Test func `nobody enters without a token, and who may read cannot write`() async throws {
        try await Site.lend { site in
            let digest = try site.store.add(Array("secret".utf8)).digest
            site.access.withLock { $0 = nil }
            let user = try site.library("user")
            await #expect(throws: RemoteArtifactError.refused(site.url)) {
                try await user.bring([digest])
            }
            #expect(!user.store.contains(digest))
            site.access.withLock { $0 = .read }
            try await user.bring([digest])
            let refused = try await site.ask(
                "PATCH", Digest(of: "new"), ["upload-offset": "0", "upload-length": "3"])
            #expect(refused.status == .forbidden)
            let bare = try await HTTPClient.shared.get(url: "\(site.url)/v1/artifacts/\(digest)")
                .get()
            #expect(bare.status == .unauthorized)
        }
    }

    @Test func `what is nowhere is said to be, at once`() async throws {
        try await Site.lend { site in
            let user = try site.library("user")
            let digest = Digest(of: "never made")
            await #expect(throws: ArtifactError.missing(digest, store: user.store.folder)) {
                try await user.bring([digest])
            }
        }
    }

    @Test func `a door that is away for a while is waited for`() async throws {
        try await temporaryFolder { folder in
            let store = try ArtifactStore(at: folder + "/store")
            let digest = try store.add(Self.large).digest
            let port = Mutex(0)
            try await Site.serving(store, port: 0, access: { _ in .write }) { number in
                port.withLock { $0 = number }
            }
            // It has gone again; its port is known, and nobody is behind it.
            let url = "http://127.0.0.1:\(port.withLock(\.self))"
            let user = ArtifactLibrary(
                try ArtifactStore(at: folder + "/user"),
                behind: CoordinatorArtifacts(at: url, credential: Site.Known()))
            let bringing = Task { try await user.bring([digest]) }
            try await Task.sleep(for: .milliseconds(400))
            try await Site.serving(store, port: port.withLock(\.self), access: { _ in .write }) {
                _ in
                try await bringing.value
            }
            try user.store.verify(digest)
        }
    }
}

/// A door on loopback, and machines that reach it.
private struct Site: Sendable {
    let folder: String
    let store: ArtifactStore
    let url: String
    let access: AccessBox

    final class AccessBox: Sendable {
        private let value = Mutex<ArtifactDoor.Access?>(.write)
        func withLock<Output>(_ body: (inout ArtifactDoor.Access?) -> Output) -> Output {
            value.withLock { value in
                var copy = value
                let output = body(&copy)
                value = copy
                return output
            }
        }
    }

    struct Known: ArtifactCredential {
        func token(isFresh: Bool) async throws -> String { "known" }
    }

    static func lend(_ body: @escaping @Sendable (Site) async throws -> Void) async throws {
        try await temporaryFolder { folder in
            let store = try ArtifactStore(at: folder + "/store")
            let access = AccessBox()
            try await serving(
                store, port: 0,
                access: { hash in hash == Digest(of: "known") ? access.withLock { $0 } : nil }
            ) { port in
                try await body(
                    Site(
                        folder: folder, store: store, url: "http://127.0.0.1:\(port)",
                        access: access))
            }
        }
    }

    /// Serves `store` while `body` works.
    static func serving(
        _ store: ArtifactStore, port: Int,
        access: @escaping @Sendable (Digest) -> ArtifactDoor.Access?,
        _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        var logger = Logger(label: "door")
        logger.logLevel = .critical
        let door = ArtifactDoor(store, host: "127.0.0.1", port: port, logger: logger) { access($0) }
        let (ports, ready) = AsyncStream<Int>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await door.run { ready.yield($0) } }
            defer { group.cancelAll() }
            for await number in ports {
                try await body(number)
                break
            }
        }
    }

    /// A machine with a cache of its own.
    func library(_ name: String) throws -> ArtifactLibrary {
        var library = ArtifactLibrary(
            try ArtifactStore(at: "\(folder)/\(name)"),
            behind: CoordinatorArtifacts(at: url, credential: Known()))
        library.patience = .seconds(10)
        return library
    }

    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        let path = "\(folder)/\(name)"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    func ask(
        _ method: String, _ digest: Digest, _ headers: [String: String]
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: "\(url)/v1/artifacts/\(digest)")
        request.method = .init(rawValue: method)
        request.headers.add(name: "authorization", value: "Bearer known")
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        return try await HTTPClient.shared.execute(request, timeout: .seconds(30))
    }
}

/// A file that nobody else is at; a macro takes nothing that cannot be copied.
func had(_ file: consuming IncomingFile?) throws -> IncomingFile {
    struct NotHad: Error {}
    guard let file else { throw NotHad() }
    return file
}

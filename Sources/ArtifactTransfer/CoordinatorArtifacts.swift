public import Artifacts
import AsyncHTTPClient
public import FlywheelCore
import Foundation
import NIOCore
import NIOHTTP1

/// What proves to a coordinator that one may read and add artifacts.
public protocol ArtifactCredential: Sendable {
    /// A token; `isFresh`: the one that was given before was refused.
    func token(isFresh: Bool) async throws -> String
}

/// The artifacts that a coordinator keeps in its folder, over HTTP (`ArtifactDoor`).
public struct CoordinatorArtifacts: RemoteArtifacts {
    /// Without a stroke at its end.
    private let url: String
    private let credential: any ArtifactCredential

    public init(at url: String, credential: any ArtifactCredential) {
        self.url = url
        self.credential = credential
    }

    public func size(of digest: Digest) async throws -> Int64? {
        let answer = try await ask(.HEAD, digest)
        switch answer.status {
        case .ok: return answer.headers.first(name: "content-length").flatMap { Int64($0) }
        case .notFound: return nil
        default: throw Unexpected(url: url, status: answer.status)
        }
    }

    public func read(
        _ digest: Digest, from offset: Int64, _ take: ([UInt8]) throws -> Void
    ) async throws {
        let answer = try await ask(.GET, digest, headers: [("range", "bytes=\(offset)-")])
        switch answer.status {
        case .partialContent: break
        case .ok where offset == 0: break
        case .notFound: throw ArtifactError.missing(digest, store: url)
        default: throw Unexpected(url: url, status: answer.status)
        }
        for try await piece in answer.body { try take(Array(piece.readableBytesView)) }
    }

    public func add(
        fileAt path: String, as digest: Digest, bytes: Int64,
        progress: @escaping @Sendable () -> Void
    ) async throws {
        let known = try await ask(.HEAD, digest)
        if known.status == .ok { return }
        guard known.status == .notFound else { throw Unexpected(url: url, status: known.status) }
        // Behind what an earlier call brought there.
        let offset = known.headers.first(name: Self.offset).flatMap { Int64($0) } ?? 0
        let answer = try await ask(
            .PATCH, digest,
            headers: [(Self.offset, "\(offset)"), ("upload-length", "\(bytes)")],
            body: {
                .stream(
                    FilePieces(path: path, from: offset, progress: progress),
                    length: .known(bytes - offset))
            })
        switch answer.status {
        case .created, .ok: return
        case .unprocessableEntity: throw RemoteArtifactError.rejected(digest, url)
        case .insufficientStorage: throw RemoteArtifactError.full(url)
        default: throw Unexpected(url: url, status: answer.status)
        }
    }

    /// The header that says how much has come.
    static let offset = "upload-offset"

    private func ask(
        _ method: HTTPMethod, _ digest: Digest, headers: [(String, String)] = [],
        body: () -> HTTPClientRequest.Body? = { nil }
    ) async throws -> HTTPClientResponse {
        for isFresh in [false, true] {
            var request = HTTPClientRequest(url: "\(url)/v1/artifacts/\(digest)")
            request.method = method
            request.headers = HTTPHeaders(headers)
            let token = try await credential.token(isFresh: isFresh)
            request.headers.add(name: "authorization", value: "Bearer \(token)")
            request.body = body()
            let answer = try await TransferClient.shared.execute(request, deadline: .distantFuture)
            if answer.status != .unauthorized { return answer }
        }
        throw RemoteArtifactError.refused(url)
    }
}

/// An answer for which nobody is prepared; the call may be repeated.
struct Unexpected: Error, CustomStringConvertible {
    let url: String
    let status: HTTPResponseStatus
    var description: String { "\(url) answered \(status.code) \(status.reasonPhrase)." }
}

/// The client of all transfers: patient with size, not with silence.
enum TransferClient {
    static let shared: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout = .init(
            connect: .seconds(5), read: .seconds(20), write: .seconds(20))
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()
}

/// A file's bytes from an offset on, as a request's body takes them.
struct FilePieces: AsyncSequence, Sendable {
    let path: String
    let from: Int64
    var upTo = Int64.max
    /// Called for every piece.
    var progress: @Sendable () -> Void = {}

    func makeAsyncIterator() -> Iterator { Iterator(pieces: self, offset: from) }

    struct Iterator: AsyncIteratorProtocol {
        let pieces: FilePieces
        var offset: Int64
        private var file: FileHandle?

        init(pieces: FilePieces, offset: Int64) {
            self.pieces = pieces
            self.offset = offset
        }

        mutating func next() async throws -> ByteBuffer? {
            if file == nil {
                file = try FileHandle(forReadingFrom: URL(fileURLWithPath: pieces.path))
                try file?.seek(toOffset: UInt64(offset))
            }
            pieces.progress()
            let count = Int(Swift.min(1 << 18, pieces.upTo - offset))
            guard count > 0, let piece = try file?.read(upToCount: count), !piece.isEmpty else {
                try file?.close()
                return nil
            }
            offset += Int64(piece.count)
            return ByteBuffer(bytes: piece)
        }
    }
}

import AsyncHTTPClient
import NIOCore

/// The body of an answer whose first piece has been read.
struct StartedBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    private let first: ByteBuffer?
    private let rest: Rest

    /// Where reading goes on; one reader has it, and only after the first piece was read.
    fileprivate final class Rest: @unchecked Sendable {
        var pieces: HTTPClientResponse.Body.AsyncIterator

        init(_ pieces: HTTPClientResponse.Body.AsyncIterator) { self.pieces = pieces }
    }

    /// Waits for the first piece; throws where none comes.
    init(_ body: HTTPClientResponse.Body) async throws {
        rest = Rest(body.makeAsyncIterator())
        first = try await rest.pieces.next()
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(first: first, rest: rest) }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var first: ByteBuffer?
        fileprivate let rest: Rest

        mutating func next() async throws -> ByteBuffer? {
            if let piece = first {
                first = nil
                return piece
            }
            return try await rest.pieces.next()
        }
    }
}

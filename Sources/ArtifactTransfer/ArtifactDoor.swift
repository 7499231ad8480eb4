public import Artifacts
public import FlywheelCore
import Foundation
import HTTPInterface
import HTTPTypes
import Hummingbird
public import Logging
import NIOCore
import ServiceLifecycle

/// Serves a folder of artifacts to nodes that have none, over HTTP.
///
/// `GET` and `HEAD /v1/artifacts/DIGEST` read, in ranges if asked; `PATCH` adds, behind what came before
/// (`upload-offset`, which `HEAD` tells of what is not whole; `upload-length`). Every call shows a token.
public struct ArtifactDoor: Sendable {
    /// What a token allows.
    public enum Access: String, Sendable { case read, write }

    private let store: ArtifactStore
    private let host: String
    private let port: Int
    private let access: @Sendable (_ hash: Digest) async throws -> Access?
    private let logger: Logger

    /// - Parameter access: what whoever shows the token with this hash may do; nil: nothing.
    public init(
        _ store: ArtifactStore, host: String, port: Int, logger: Logger,
        access: @escaping @Sendable (_ hash: Digest) async throws -> Access?
    ) {
        self.store = store
        self.host = host
        self.port = port
        self.logger = logger
        self.access = access
    }

    /// Serves until the task is cancelled.
    ///
    /// `whenReady` is told the port once calls are taken. Throws `ServiceUnavailable` where the address
    /// cannot be had.
    public func run(whenReady: @escaping @Sendable (_ port: Int) -> Void = { _ in }) async throws {
        let router = Router()
        router.add(middleware: ErrorShape())
        router.get("/healthz") { _, _ in Response(json: ["status": "ok"]) }
        let path = RouterPath("/v1/artifacts/:digest")
        router.on(path, method: .get) { request, context in
            try await read(request, context, withBody: true)
        }
        router.on(path, method: .head) { request, context in
            try await read(request, context, withBody: false)
        }
        router.on(path, method: .patch) { request, context in try await add(request, context) }
        let application = Application(
            router: router,
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [
                        IdleStateHandler(allTimeout: Self.silence), SilenceEnder(),
                    ])),
            configuration: .init(address: .hostname(host, port: port), serverName: "flywheel"),
            onServerRunning: { channel in whenReady(channel.localAddress?.port ?? port) },
            logger: logger)
        do {
            try await application.run()
        } catch let error as IOError {
            throw ServiceUnavailable(
                host: host, port: port, error, remedy: "Give another --artifacts address.")
        }
    }

    /// For a connection on which nothing moves: whoever was cut off while adding keeps others from it.
    private static let silence = TimeAmount.seconds(30)

    // MARK: Reading

    private func read(
        _ request: Request, _ context: some RequestContext, withBody: Bool
    ) async throws -> Response {
        let digest = try await admit(request, context, to: .read)
        let path = store.path(of: digest)
        guard store.touch(digest),
            let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int64
        else {
            var missing = APIError(
                status: .notFound, message: "There is no artifact \(digest) here.",
                type: "invalid_request_error", code: "artifact_not_found")
            missing.headers[Self.offset] = "\(store.incomingBytes(of: digest))"
            return missing.response
        }
        let first = try Self.start(of: request.headers[.range], size: size)
        var headers: HTTPFields = [
            .contentType: "application/octet-stream", .acceptRanges: "bytes",
            .eTag: "\"\(digest)\"",
        ]
        if first != nil {
            headers[.contentRange] = "bytes \(first ?? 0)-\(size - 1)/\(size)"
        }
        let offset = first ?? 0
        guard withBody else {
            headers[.contentLength] = "\(size)"
            return Response(status: .ok, headers: headers)
        }
        let body = ResponseBody(contentLength: Int(size - offset)) { writer in
            for try await piece in FilePieces(path: path, from: offset) {
                try await writer.write(piece)
            }
            try await writer.finish(nil)
        }
        return Response(status: first == nil ? .ok : .partialContent, headers: headers, body: body)
    }

    /// Where `bytes=N-` begins; nil where the whole is asked for.
    ///
    /// Other forms of ranges are answered with the whole, as RFC 9110 lets a server do.
    static func start(of range: String?, size: Int64) throws(APIError) -> Int64? {
        guard let match = range?.wholeMatch(of: #/bytes=(\d{1,18})-/#), let first = Int64(match.1)
        else { return nil }
        if first == 0 { return nil }
        guard first < size else {
            var headers = HTTPFields()
            headers[.contentRange] = "bytes */\(size)"
            throw APIError(
                status: .rangeNotSatisfiable, message: "The artifact has \(size) bytes.",
                type: "invalid_request_error", headers: headers)
        }
        return first
    }

    // MARK: Adding

    private func add(
        _ request: Request, _ context: some RequestContext
    ) async throws -> Response {
        let digest = try await admit(request, context, to: .write)
        guard let offset = request.headers[Self.offset].flatMap({ Int64($0) }),
            let length = request.headers[Self.length].flatMap({ Int64($0) }), 0...length ~= offset
        else { throw APIError.invalid("upload-offset and upload-length are not two such numbers.") }
        if store.touch(digest) { return Response(status: .ok) }
        guard var file = try IncomingFile(of: digest, in: store) else {
            return conflict("Somebody else is adding this artifact.", digest)
        }
        guard file.bytes == offset else { return conflict("It goes on elsewhere.", digest) }
        do {
            for try await piece in request.body {
                guard file.bytes + Int64(piece.readableBytes) <= length else {
                    throw APIError.invalid("The body is longer than upload-length says.")
                }
                try file.append(Array(piece.readableBytesView))
            }
            guard file.bytes == length else { return conflict("The body ended early.", digest) }
            try file.finish()
        } catch let error as FileError where error.code.rawValue == ENOSPC {
            // What is half there would keep others from what room is left.
            file.remove()
            throw APIError(
                status: .init(code: 507, reasonPhrase: "Insufficient Storage"), message: "\(error)",
                type: "api_error",
                code: "no_room")
        } catch let error as ArtifactError {
            throw APIError(
                status: .unprocessableContent, message: "\(error)",
                type: "invalid_request_error", code: "digest_differs")
        }
        return Response(status: .created)
    }

    private func conflict(_ why: String, _ digest: Digest) -> Response {
        var error = APIError(
            status: .conflict, message: why + " Ask with HEAD, and go on there.",
            type: "invalid_request_error", code: "upload_conflict")
        error.headers[Self.offset] = "\(store.incomingBytes(of: digest))"
        return error.response
    }

    private static let offset = HTTPField.Name("upload-offset") ?? .range
    private static let length = HTTPField.Name("upload-length") ?? .range

    // MARK: Who may

    /// The digest that a call is about, if its token allows as much.
    private func admit(
        _ request: Request, _ context: some RequestContext, to wanted: Access
    ) async throws -> Digest {
        let scheme = "Bearer "
        guard let shown = request.headers[.authorization], shown.hasPrefix(scheme),
            let allowed = try await access(Digest(of: String(shown.dropFirst(scheme.count))))
        else {
            throw APIError(
                status: .unauthorized,
                message: "The token is unknown, or the attempt that it belongs to has ended.",
                type: "authentication_error", code: "invalid_token")
        }
        guard allowed == .write || wanted == .read else {
            throw APIError(
                status: .forbidden, message: "The token is for reading.",
                type: "authentication_error", code: "read_only")
        }
        guard let text = context.parameters.get("digest"), let digest = Digest(hex: text) else {
            throw APIError.invalid("The path ends with no SHA-256 of 64 hexadecimal digits.")
        }
        return digest
    }
}

/// Closes a connection on which nothing moves.
private final class SilenceEnder: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}

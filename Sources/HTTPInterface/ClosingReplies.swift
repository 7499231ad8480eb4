import HTTPTypes
package import Hummingbird
package import NIOCore

/// A request's context that knows the connection that the request came on.
package protocol ConnectedContext: RequestContext {
    var channel: any Channel { get }
}

/// Ends a connection after a reply that says `connection: close`, which the server heeds in requests alone.
///
/// At first our side of it alone: what the caller still sends is read and dropped for a while, since to
/// close on unread bytes is to reset the connection, and the reply would be lost with it.
package struct ClosingReplies<Context: ConnectedContext>: RouterMiddleware {
    private let patience: TimeAmount

    /// - Parameter patience: how long the caller may go on sending.
    package init(patience: TimeAmount = .seconds(10)) { self.patience = patience }

    @concurrent package func handle(
        _ request: Request, context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        guard response.headers[.connection]?.lowercased() == "close" else { return response }
        let (body, channel, patience) = (response.body, context.channel, patience)
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            try await body.write(writer)
            channel.close(mode: .output, promise: nil)
            channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
        }
        return response
    }
}

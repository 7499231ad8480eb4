package import FlywheelCore
import HTTPTypes
package import Hummingbird
import Logging

/// Gives whatever goes wrong below it OpenAI's shape.
package struct ErrorShape<Context: RequestContext>: RouterMiddleware {
    private let ofField: @Sendable (InputError) -> APIError

    /// `ofField` says how a field that is not taken is named.
    package init(ofField: @escaping @Sendable (InputError) -> APIError = { .invalid($0) }) {
        self.ofField = ofField
    }

    @concurrent package func handle(
        _ request: Request, context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return error.response
        } catch let error as HTTPError where error.status == .notFound {
            return APIError(
                status: .notFound,
                message: "There is no \(request.method.rawValue) \(request.uri.path) here.",
                type: "invalid_request_error", code: "unknown_url"
            ).response
        } catch let error as HTTPError {
            return APIError(
                status: error.status, message: error.body ?? error.status.reasonPhrase,
                type: "invalid_request_error"
            ).response
        } catch let error as InputError {
            return ofField(error).response
        } catch {
            context.logger.error("a request failed", metadata: ["error": "\(error)"])
            return APIError(
                status: .internalServerError,
                message: "The server failed. Its log says why; the call may be repeated.",
                type: "api_error", code: "internal_error"
            ).response
        }
    }
}

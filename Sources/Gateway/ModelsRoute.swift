import Captures
import FlywheelCore
import Foundation
import HTTPInterface
import Hummingbird

/// `GET /v1/models`: every name that `model` may have.
struct ModelsRoute: Sendable {
    let door: Door
    let keeper: StateKeeper

    func add(to router: Router<CallContext>) {
        router.get("/v1/models") { request, _ in
            _ = try await door.admit(request.headers)
            return Response(json: ["object": "list", "data": .array(names.map(Self.json))])
        }
        // A name may hold slashes.
        router.get("/v1/models/**") { request, context in
            _ = try await door.admit(request.headers)
            let path = context.parameters.getCatchAll().joined(separator: "/")
            let name = path.removingPercentEncoding ?? path
            guard let model = names.first(where: { $0.name == name }) else {
                throw APIError(
                    status: .notFound, message: "The model `\(name)` does not exist here.",
                    type: "invalid_request_error", param: "model", code: "model_not_found")
            }
            return Response(json: Self.json(model))
        }
    }

    private var names: [(name: String, owner: String)] { keeper.state?.names ?? [] }

    /// When it was made is not known of every model, and clients want a number.
    private static func json(_ model: (name: String, owner: String)) -> JSONValue {
        [
            "id": .string(model.name), "object": "model", "created": 0,
            "owned_by": .string(model.owner),
        ]
    }
}

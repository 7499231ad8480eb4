public import FlywheelCore

/// A model behind the gateway: an upstream's name and what it calls the model.
public struct UpstreamModel: Codable, Hashable, Sendable, CustomStringConvertible {
    public var upstream: String
    public var model: String

    /// The upstream under which callers of the gateway name models of our registry.
    public static let ownUpstream = "flywheel"

    public init(upstream: String, model: String) {
        self.upstream = upstream
        self.model = model
    }

    /// As callers of the gateway write it.
    public var description: String { "\(upstream)/\(model)" }

    public var json: JSONValue { ["upstream": .string(upstream), "model": .string(model)] }
}

extension SpecificationField {
    /// A model of an upstream: `{upstream: frontier, model: gpt-5}`.
    package func upstreamModel() throws(InputError) -> UpstreamModel {
        let fields = try object("upstream", "model")
        return UpstreamModel(
            upstream: try fields.required("upstream").name(),
            model: try fields.required("model").text(max: 256))
    }

    /// Either `{upstream, model}`, or `{model}`: one of the registry.
    package func eitherModel() throws(InputError) -> AnyModel {
        let fields = try object("upstream", "model")
        guard fields["upstream"] == nil else { return .upstream(try upstreamModel()) }
        let model = try fields.required("model")
        let reference = try model.model()
        guard reference.name != nil else {
            throw model.error(
                "a folder, where a model of the registry is wanted",
                remedy: "`flywheel models import FOLDER --name NAME` gives it a name.")
        }
        return .registry(reference)
    }
}

extension SpecificationField {
    /// `support@3`, or as `eitherModel()`; a model of the upstream `flywheel` is one of the registry.
    func incumbent() throws(InputError) -> AnyModel {
        guard case .object = tree.value else { return .registry(try model()) }
        guard case .upstream(let rented) = try eitherModel(),
            rented.upstream != UpstreamModel.ownUpstream
        else {
            return .registry(try object("upstream", "model").required("model").model())
        }
        return .upstream(rented)
    }
}

/// A model that can be asked: of an upstream, or one of ours.
public enum AnyModel: Hashable, Sendable, CustomStringConvertible {
    case upstream(UpstreamModel)
    case registry(ModelReference)

    public var description: String {
        switch self {
        case .upstream(let model): model.description
        case .registry(let model): model.description
        }
    }

    public var json: JSONValue {
        switch self {
        case .upstream(let model): model.json
        case .registry(let model): ["model": .string(model.description)]
        }
    }
}

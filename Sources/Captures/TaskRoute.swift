/// What a gateway must know of a task: what to put around its calls, and who answers them.
public struct TaskRoute: Codable, Sendable, Equatable {
    /// A model behind the gateway; without an upstream, one of the registry: `name@version`.
    public struct Target: Codable, Sendable, Equatable {
        public var upstream: String?
        public var model: String

        public init(upstream: String? = nil, model: String) {
            self.upstream = upstream
            self.model = model
        }
    }

    public var name: String
    public var version: Int
    /// Put first where a call brings no system message of its own.
    public var system: String?
    /// A template of the user's message, for calls that give arguments in the place of messages.
    public var user: String?
    /// A JSON Schema, as a text.
    public var schema: String?
    /// Whether upstreams are asked for answers that obey `schema`.
    public var asksForSchema: Bool
    public var redact: Set<PersonalDatum>
    /// The least and the greatest value of a `score`; nil where the task says nothing of it.
    public var scoreRange: [Double]?
    /// Whether the generalist answers where nobody serves the target.
    public var fallsBack: Bool
    public var generalist: Target
    public var target: Target

    public init(
        name: String, version: Int = 1, system: String? = nil, user: String? = nil,
        schema: String? = nil, asksForSchema: Bool = true, redact: Set<PersonalDatum> = [],
        fallsBack: Bool = true, generalist: Target, target: Target? = nil
    ) {
        self.name = name
        self.version = version
        self.system = system
        self.user = user
        self.schema = schema
        self.asksForSchema = asksForSchema
        self.redact = redact
        self.fallsBack = fallsBack
        self.generalist = generalist
        self.target = target ?? generalist
    }

    enum CodingKeys: String, CodingKey {
        case name, version, system, user, schema, redact, generalist, target
        case asksForSchema = "asks_for_schema"
        case fallsBack = "falls_back"
        case scoreRange = "score_range"
    }
}

/// What a call means: whose task it is, and who answers it.
public struct Routing: Sendable, Equatable {
    /// The task that the call belongs to, where it is one that was applied.
    public var task: TaskRoute?
    /// Whether the route of `task` decided, so that its prompt is put around the call; a caller who names
    /// a model gets that model, as they wrote.
    public var isRouted = false
    public var destination: Destination
    /// Whether the destination is a model of the registry.
    public var isOurs = false
    /// Who answers where the destination cannot.
    public var fallback: Destination?
    /// The model of the route that could not answer, where the generalist does in its place.
    public var missed: String?

    public init(task: TaskRoute? = nil, destination: Destination) {
        self.task = task
        self.destination = destination
    }

    /// The same call for those who answer where the destination cannot; nil where nobody does.
    public var fallingBack: Routing? {
        guard let fallback else { return nil }
        var routing = self
        routing.destination = fallback
        routing.fallback = nil
        routing.isOurs = fallback.isOwn
        routing.missed = destination.model
        return routing
    }
}

extension GatewayState {
    /// What a call for `model` means that its caller marks as one of `label`.
    ///
    /// The task is the one that `label` names or, failing that, `model`. Where `model` names a task the
    /// route decides; otherwise `model` does, and the label says only whose call it is. `promoted` is
    /// what names of the registry mean.
    public func route(
        _ model: String, label: String?, promoted: [String: String] = [:]
    ) throws(UnknownModel) -> Routing {
        let labelled = label.flatMap(task)
        guard let named = task(model) else {
            let destination = try resolve(model, promoted: promoted)
            var routing = Routing(task: labelled, destination: destination)
            routing.isOurs = destination.isOwn || models.contains(destination.model)
            return routing
        }
        return try route(labelled ?? named)
    }

    private func route(_ task: TaskRoute) throws(UnknownModel) -> Routing {
        var routing = Routing(task: task, destination: try destination(of: task.target))
        routing.isRouted = true
        routing.isOurs = task.target.upstream == nil || routing.destination.isOwn
        if task.fallsBack, task.generalist != task.target {
            routing.fallback = try? destination(of: task.generalist)
        }
        return routing
    }

    private func destination(of target: TaskRoute.Target) throws(UnknownModel) -> Destination {
        guard let name = target.upstream, name != Destination.ownName else {
            // A server that somebody runs for a model of ours is an upstream that lists it.
            let lister = upstreams.first { $0.models.contains(target.model) }
            return lister.map { Destination(upstream: $0, model: target.model) }
                ?? .own(target.model)
        }
        guard let upstream = upstreams.first(where: { $0.name == name }) else {
            throw .missingUpstream(name)
        }
        return Destination(upstream: upstream, model: target.model)
    }

    public func task(_ name: String) -> TaskRoute? { tasks.first { $0.name == name } }
}

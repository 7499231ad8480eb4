import FlywheelCore

/// What every job has, whatever its kind: what the queue reads of a specification.
public struct JobEnvelope: Sendable, Equatable {
    /// How many processes a gang may have.
    ///
    /// Which number it gets changes the speed, never the result.
    public struct Ranks: Sendable, Equatable {
        public var min: Int
        public var max: Int
        public init(min: Int = 1, max: Int = 1) {
            self.min = min
            self.max = max
        }
    }

    /// How often a job may be tried again.
    ///
    /// An exit by signal, a vanished node or an expired lease is
    /// a loss; anything else that went wrong is a failure.
    public struct Retries: Sendable, Equatable {
        public var failures: Int
        public var losses: Int
        public init(failures: Int = 3, losses: Int = 20) {
            self.failures = failures
            self.losses = losses
        }
    }

    /// What each rank holds of its node.
    public struct Resources: Sendable, Equatable {
        /// Cores, and threads of a rank.
        public var slots: Int
        public var gpus: Int
        /// What a node must be labelled with.
        public var labels: [String: String]
        public init(slots: Int = 1, gpus: Int = 0, labels: [String: String] = [:]) {
            self.slots = slots
            self.gpus = gpus
            self.labels = labels
        }
    }

    public var name: String
    public var tenant: String
    /// Higher goes first.
    public var priority: Int
    /// Jobs that must succeed first.
    public var after: [JobReference]
    public var retries: Retries
    public var ranks: Ranks
    public var resources: Resources
    /// How many jobs that name the same limit may work at once, by its name.
    public var limits: [String: Int] = [:]
    /// What the references meant when the job was submitted; empty before.
    public var resolved: [InputRole: ResolvedInput]

    public init(
        name: String, tenant: String = "default", priority: Int = 0, after: [JobReference] = [],
        retries: Retries = Retries(), ranks: Ranks = Ranks(), resources: Resources = Resources(),
        resolved: [InputRole: ResolvedInput] = [:]
    ) {
        self.name = name
        self.tenant = tenant
        self.priority = priority
        self.after = after
        self.retries = retries
        self.ranks = ranks
        self.resources = resources
        self.resolved = resolved
    }
}

extension JobEnvelope {
    static let keys = [
        "kind", "name", "tenant", "priority", "after", "retries", "ranks", "resources",
        "limits",
    ]
    /// Written at submission.
    static let ours = ["resolved"]

    init(_ fields: FieldReader) throws(InputError) {
        name = try fields.required("name").name()
        tenant = try fields.value("tenant", default: "default") { field throws(InputError) in
            try field.name()
        }
        priority = try fields.wholeNumber("priority", in: SpecificationLimits.priority, default: 0)
        after = try fields.value("after", default: []) { field throws(InputError) in
            try field.list(max: SpecificationLimits.after) { job throws(InputError) in
                try job.job()
            }
        }
        retries = try fields.value("retries", default: Retries()) { field throws(InputError) in
            try Retries(field)
        }
        ranks = try fields.value("ranks", default: Ranks()) { field throws(InputError) in
            try Ranks(field)
        }
        resources = try fields.value("resources", default: Resources()) {
            field throws(InputError) in
            try Resources(field)
        }
        for (name, most) in try fields["limits"]?.entries(max: SpecificationLimits.limits) ?? [] {
            guard SpecificationName.isValid(name) else {
                throw most.error(
                    "`\(name.prefix(120))` is not a name", remedy: SpecificationName.rule)
            }
            limits[name] = try most.wholeNumber(in: SpecificationLimits.limitMost)
        }
        resolved = try fields.value("resolved", default: [:]) { field throws(InputError) in
            try Self.resolved(field)
        }
    }

    private static func resolved(
        _ field: SpecificationField
    ) throws(InputError) -> [InputRole: ResolvedInput] {
        let fields = try FieldReader(field, known: InputRole.allCases.map(\.rawValue))
        var resolved: [InputRole: ResolvedInput] = [:]
        for role in InputRole.allCases {
            guard let input = fields[role.rawValue] else { continue }
            resolved[role] = try input.resolvedInput()
        }
        return resolved
    }

    /// The members of the canonical JSON that all kinds share.
    func members(kind: JobKind) -> [String: JSONValue] {
        var members: [String: JSONValue] = [
            "kind": .string(kind.rawValue),
            "name": .string(name),
            "tenant": .string(tenant),
            "priority": .integer(Int64(priority)),
            "after": .array(after.map(\.json)),
            "retries": [
                "failures": .integer(Int64(retries.failures)),
                "losses": .integer(Int64(retries.losses)),
            ],
            "ranks": ["min": .integer(Int64(ranks.min)), "max": .integer(Int64(ranks.max))],
            "resources": [
                "slots": .integer(Int64(resources.slots)),
                "gpus": .integer(Int64(resources.gpus)),
                "labels": .object(resources.labels.mapValues { .string($0) }),
            ],
            "resolved": .object(
                Dictionary(
                    uniqueKeysWithValues: resolved.map { role, input in
                        (role.rawValue, input.json)
                    })),
        ]
        // Left out where there are none, so that specifications of before keep their digests.
        if !limits.isEmpty {
            members["limits"] = .object(limits.mapValues { .integer(Int64($0)) })
        }
        return members
    }
}

extension JobEnvelope.Ranks {
    init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("min", "max")
        min = try fields.wholeNumber("min", in: SpecificationLimits.ranks, default: 1)
        max = try fields.wholeNumber("max", in: SpecificationLimits.ranks, default: min)
        guard min <= max else {
            throw field.error("`min` (\(min)) is greater than `max` (\(max))")
        }
    }
}

extension JobEnvelope.Retries {
    init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("failures", "losses")
        failures = try fields.wholeNumber("failures", in: SpecificationLimits.failures, default: 3)
        losses = try fields.wholeNumber("losses", in: SpecificationLimits.losses, default: 20)
    }
}

extension JobEnvelope.Resources {
    init(_ field: SpecificationField) throws(InputError) {
        let fields = try field.object("slots", "gpus", "labels")
        slots = try fields.wholeNumber("slots", in: SpecificationLimits.slots, default: 1)
        gpus = 0
        if let field = fields["gpus"], try field.wholeNumber(in: 0...1_024) > 0 {
            throw field.error(
                "GPUs are not available in this version", remedy: "Leave `gpus` out, or give 0.")
        }
        labels = [:]
        for (key, label) in try fields["labels"]?.entries(max: SpecificationLimits.labels) ?? [] {
            labels[key] = try label.text(max: SpecificationLimits.nameBytes)
        }
    }
}

extension Submission {
    /// The submission of `specification`, whose inputs are resolved and whose `after` are `parents`.
    public init(
        _ specification: JobSpecification, after parents: [JobID], idempotencyKey: String? = nil
    ) {
        let envelope = specification.envelope
        self.init(
            name: envelope.name, kind: specification.kind.rawValue, spec: specification.json,
            tenant: envelope.tenant, priority: envelope.priority, ranksMin: envelope.ranks.min,
            ranksMax: envelope.ranks.max, slotsPerRank: envelope.resources.slots,
            gpusPerRank: envelope.resources.gpus, labels: envelope.resources.labels,
            failuresMax: envelope.retries.failures, lossesMax: envelope.retries.losses,
            after: parents, idempotencyKey: idempotencyKey)
    }
}

package import FlywheelCore

extension TrainSpecification {
    /// What is trained: all weights, or a low-rank change beside frozen ones.
    public enum Adapter: Sendable, Equatable {
        case full
        case lowRank(LowRank)
    }

    /// A low-rank adapter (LoRA and its kin).
    public struct LowRank: Sendable, Equatable {
        /// `rslora` is scaled by α / √rank; `dora` learns the lengths of the weights' rows apart.
        public enum Kind: String, Sendable, CaseIterable { case lora, rslora, dora }

        /// Projections, as Hugging Face names them.
        public enum Target: String, Sendable, CaseIterable {
            case queries = "q_proj"
            case keys = "k_proj"
            case values = "v_proj"
            case output = "o_proj"
            case gate = "gate_proj"
            case up = "up_proj"
            case down = "down_proj"
            case head = "lm_head"

            /// All of the layers'.
            public static let usual = allCases.filter { $0 != .head }
        }

        public var kind: Kind
        public var rank: Int
        public var alpha: Double
        /// In the order of `Target`.
        public var targets: [Target]

        public init(
            kind: Kind = .lora, rank: Int = 16, alpha: Double = 32,
            targets: [Target] = Target.usual
        ) {
            self.kind = kind
            self.rank = rank
            self.alpha = alpha
            self.targets = targets
        }
    }
}

extension TrainSpecification.Adapter {
    private enum Kind: String, CaseIterable { case full, lora, rslora, dora }

    /// Reads `lora`, or `{type: lora, rank: 16, alpha: 32, targets: [q_proj, v_proj]}`.
    package init(_ field: SpecificationField) throws(InputError) {
        let fields =
            field.isObject
            ? try field.object("type", "rank", "alpha", "targets", "dropout") : nil
        let named = try (fields?.required("type") ?? field).choice(of: Kind.self)
        guard let kind = TrainSpecification.LowRank.Kind(rawValue: named.rawValue) else {
            // Tasks that were stored before there were adapters say `rank` and `alpha` all the same.
            for key in ["targets", "dropout"] {
                guard let stray = fields?[key] else { continue }
                throw stray.error(
                    "adapter full, which trains all weights, has no `\(key)`",
                    remedy: "Take it out, or write `type: lora`.")
            }
            self = .full
            return
        }
        self = .lowRank(try TrainSpecification.LowRank(kind, fields))
    }

    package var json: JSONValue {
        switch self {
        case .full: ["type": "full"]
        case .lowRank(let it):
            [
                "type": .string(it.kind.rawValue), "rank": .integer(Int64(it.rank)),
                "alpha": .number(it.alpha),
                "targets": .array(it.targets.map { .string($0.rawValue) }),
            ]
        }
    }
}

extension TrainSpecification.LowRank {
    fileprivate init(_ kind: Kind, _ fields: FieldReader?) throws(InputError) {
        self.init(kind: kind)
        guard let fields else { return }
        rank = try fields.wholeNumber("rank", in: SpecificationLimits.adapterRank, default: rank)
        if let field = fields["alpha"] {
            alpha = try field.number(in: 0...1e6, isOpenBelow: true)
        }
        if let field = fields["dropout"], try field.number(in: 0...1) != 0 {
            throw field.error(
                "dropout of adapters is not available: a step is a function of its data alone",
                remedy: "Write 0, or leave it out.")
        }
        guard let field = fields["targets"] else { return }
        let named = Set(
            try field.list(max: Target.allCases.count) { target throws(InputError) in
                try target.choice(of: Target.self)
            })
        guard !named.isEmpty else {
            throw field.error(
                "an adapter of no projection learns nothing",
                remedy: "Leave `targets` out, and all projections of the layers have one.")
        }
        targets = Target.allCases.filter(named.contains)
    }

    /// As people call it: `lora of rank 16, alpha 32, on q_proj, v_proj`.
    public var title: String {
        let alpha = alpha == alpha.rounded() ? "\(Int(alpha))" : "\(alpha)"
        let places =
            targets == Target.usual
            ? "all projections" : targets.map(\.rawValue).joined(separator: ", ")
        return "\(kind.rawValue) of rank \(rank), alpha \(alpha), on \(places)"
    }
}

/// Which projections of a decoder get an adapter, and of what kind.
public struct AdapterConfiguration: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Scaled by α / rank.
        case lora
        /// Scaled by α / √rank (Kalajdzievski, 2023).
        case rslora
        /// LoRA, and the lengths of the weights' rows are learned apart.
        case dora
    }

    /// A projection, as Hugging Face names it.
    public enum Target: String, Sendable, CaseIterable {
        case queries = "q_proj"
        case keys = "k_proj"
        case values = "v_proj"
        case output = "o_proj"
        case gate = "gate_proj"
        case up = "up_proj"
        case down = "down_proj"
        case head = "lm_head"

        /// All of the layers'; the head, which is often the embedding too, only where it is named.
        public static let usual = allCases.filter { $0 != .head }
    }

    public var kind: Kind
    public var rank: Int
    public var alpha: Double
    /// In the order of `Target`, each once.
    public let targets: [Target]

    public init(
        kind: Kind = .lora, rank: Int = 16, alpha: Double = 32, targets: [Target] = Target.usual
    ) {
        precondition(rank > 0 && !targets.isEmpty)
        self.kind = kind
        self.rank = rank
        self.alpha = alpha
        self.targets = Target.allCases.filter(targets.contains)
    }

    /// What B A x is multiplied by.
    public var scale: Double {
        kind == .rslora ? alpha / Double(rank).squareRoot() : alpha / Double(rank)
    }
}

extension ParameterLayout {
    /// Lays out the parameters of an adapter, under the names that PEFT gives them.
    public init(_ adapter: AdapterConfiguration, for configuration: TransformerConfiguration) {
        self.init()
        for projection in adapter.projections(of: configuration) {
            let names = AdapterNames(projection.name)
            add(names.down, [adapter.rank, projection.columns], .matrix)
            add(names.up, [projection.rows, adapter.rank], .matrix)
            if adapter.kind == .dora { add(names.magnitude, [projection.rows], .gain) }
        }
    }
}

/// What PEFT calls the parameters of a projection's adapter.
struct AdapterNames {
    let down: String
    let up: String
    let magnitude: String

    init(_ projection: TensorName) {
        let stem = "base_model.model.\(projection.stem).lora_"
        (down, up, magnitude) = (
            stem + "A.weight", stem + "B.weight", stem + "magnitude_vector"
        )
    }
}

extension AdapterConfiguration.Target {
    /// Nil for the head.
    var part: LayerPart? {
        switch self {
        case .queries: .queries
        case .keys: .keys
        case .values: .values
        case .output: .output
        case .gate: .gate
        case .up: .up
        case .down: .down
        case .head: nil
        }
    }
}

extension AdapterConfiguration {
    /// A projection that has an adapter: its name, and the shape of its weights.
    struct Projection {
        let name: TensorName
        let rows: Int
        let columns: Int
    }

    /// Layer after layer, then the head.
    func projections(of configuration: TransformerConfiguration) -> [Projection] {
        let parts = targets.compactMap(\.part)
        let layers = (0..<configuration.layers).flatMap { layer in
            parts.map { part in
                Projection(
                    name: TensorName(layer: layer, part, configuration),
                    rows: configuration.rows(of: part) ?? 0,
                    columns: configuration.columns(of: part))
            }
        }
        guard targets.contains(.head) else { return layers }
        return layers + [
            Projection(
                name: .head, rows: configuration.vocabulary, columns: configuration.hidden)
        ]
    }
}

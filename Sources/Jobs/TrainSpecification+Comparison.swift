import FlywheelCore

extension TrainSpecification {
    /// The settings of a method that compares whole answers.
    public enum Comparison: Sendable, Equatable {
        /// Which loss method `dpo` has.
        public enum Loss: String, Sendable, CaseIterable { case sigmoid, ipo }

        /// `smoothing`: how likely a pair is to be the wrong way round.
        case dpo(beta: Double, smoothing: Double, loss: Loss)
        case kto(beta: Double, desirable: Double, undesirable: Double)
        case orpo(lambda: Double)
        case simpo(beta: Double, gamma: Double)
    }
}

extension TrainSpecification.Method {
    /// The settings that it has beside `type` and `adapter`.
    var keys: [String] {
        switch self {
        case .sft: []
        case .distill: ["mix", "curated"]
        case .dpo: ["beta", "labelSmoothing", "loss"]
        case .kto: ["beta", "desirable", "undesirable"]
        case .orpo: ["lambda"]
        case .simpo: ["beta", "gamma"]
        }
    }

    /// Whether two answers to one question are learned from.
    public var comparesPairs: Bool { [.dpo, .orpo, .simpo].contains(self) }

    /// Whether answers are compared with what the base thought of them.
    var hasReference: Bool { [.dpo, .kto].contains(self) }
}

extension TrainSpecification.Comparison {
    /// Reads the settings of `method`; nil where it compares nothing.
    init?(_ method: TrainSpecification.Method, _ fields: FieldReader) throws(InputError) {
        func positive(_ key: String, _ absent: Double) throws(InputError) -> Double {
            guard let field = fields[key] else { return absent }
            return try field.number(in: 0...1_000, isOpenBelow: true)
        }
        switch method {
        case .sft, .distill: return nil
        case .dpo:
            self = .dpo(
                beta: try positive("beta", 0.1),
                smoothing: try fields.number("labelSmoothing", in: 0...0.5, default: 0),
                loss: try fields.choice("loss", default: .sigmoid))
        case .kto:
            self = .kto(
                beta: try positive("beta", 0.1), desirable: try positive("desirable", 1),
                undesirable: try positive("undesirable", 1))
        case .orpo: self = .orpo(lambda: try positive("lambda", 0.1))
        case .simpo:
            self = .simpo(
                beta: try positive("beta", 2),
                gamma: try fields.number("gamma", in: 0...1_000, default: 1))
        }
        if case .dpo(_, let smoothing, .ipo) = self, smoothing > 0,
            let field = fields["labelSmoothing"]
        {
            throw field.error(
                "the loss `ipo` has no label smoothing",
                remedy: "Take it out, or write `loss: sigmoid`.")
        }
    }

    var json: [String: JSONValue] {
        switch self {
        case .dpo(let beta, let smoothing, let loss):
            [
                "beta": .number(beta), "labelSmoothing": .number(smoothing),
                "loss": .string(loss.rawValue),
            ]
        case .kto(let beta, let desirable, let undesirable):
            [
                "beta": .number(beta), "desirable": .number(desirable),
                "undesirable": .number(undesirable),
            ]
        case .orpo(let lambda): ["lambda": .number(lambda)]
        case .simpo(let beta, let gamma): ["beta": .number(beta), "gamma": .number(gamma)]
        }
    }
}

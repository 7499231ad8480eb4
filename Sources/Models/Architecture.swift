import FlywheelCore

/// The families of decoders that can be read, trained and written, as `model_type` spells them.
public enum Architecture: String, Sendable, CaseIterable {
    case llama
    case mistral
    case qwen2
    case qwen3
    case gemma2
    case gemma3 = "gemma3_text"

    /// The family that specifications call by this name, which is that of the models.
    public init?(named name: String) {
        guard let own = Self.allCases.first(where: { "\($0)" == name }) else { return nil }
        self = own
    }

    /// Where a family's own file is asked.
    var family: any Family.Type {
        switch self {
        case .llama: LlamaFamily.self
        case .mistral: MistralFamily.self
        case .qwen2: Qwen2Family.self
        case .qwen3: Qwen3Family.self
        case .gemma2: Gemma2Family.self
        case .gemma3: Gemma3Family.self
        }
    }
}

/// What a family says of itself: which switches of the shared blocks it sets, and what its
/// `config.json` calls them.
protocol Family {
    /// The class of transformers that has the language-model head.
    static var className: String { get }
    /// What holds where `config.json` is silent, as in transformers.
    static var defaults: FamilyDefaults { get }
    /// Sets the switches as the published models have them.
    static func shape(_ it: inout TransformerConfiguration)
    /// Reads what other families have not, into a configuration that has been shaped.
    static func read(
        _ fields: ConfigurationFields, into it: inout TransformerConfiguration
    ) throws(InputError)
    /// The members of `config.json` that `read` reads.
    static func members(_ it: TransformerConfiguration) -> [String: JSONValue]
}

/// The members of `config.json` that may be absent.
struct FamilyDefaults {
    var keyValueHeads: Int?
    var headDimension: Int?
    var positionsMax: Int
    var theta: Double = 10_000
    var tiedHead = false
}

extension JSONValue {
    init(_ number: Int?) { self = number.map { .integer(Int64($0)) } ?? .null }
    init(_ number: Double?) { self = number.map { .number($0) } ?? .null }
}

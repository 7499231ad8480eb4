/// What a specification may ask for at most: everything that grows has a limit.
enum SpecificationLimits {
    // The text itself.
    static let fileBytes = 256 << 10
    static let documents = 1_000
    static let aliases = 12
    static let nodes = 50_000
    static let depth = 24
    static let textBytes = 4_096
    static let nameBytes = 100

    // Every job.
    static let priority = -1_000...1_000
    static let after = 1_000
    static let failures = 0...1_000
    static let losses = 0...10_000
    static let ranks = 1...1_024
    static let slots = 1...1_024
    static let labels = 32
    static let limits = 16
    static let limitMost = 1...100_000

    // Training.
    static let lanes = 1...65_536
    static let laneRows = 1...4_096
    static let rowTokens = 8...131_072
    /// Whole numbers that every reader of JSON keeps exactly.
    static let seed = 0...9_007_199_254_740_991
    static let epochs = 0.0...100_000.0
    static let steps = 1...100_000_000
    static let learningRate = 0.0...10.0
    static let share = 0.0...0.5

    // A model made from nothing.
    static let hidden = 8...16_384
    static let layers = 1...256
    static let heads = 1...256
    static let headDimension = 2...256
    static let intermediate = 8...131_072
    static let vocabulary = 16...1_048_576
    static let positions = 8...1_048_576

    // An adapter.
    static let adapterRank = 1...4_096

    // Evaluation.
    static let graders = 16
    static let graderFields = 256
    static let otherModels = 15
    static let sliceFields = 16
    static let conditions = 256
    static let maxTokens = 1...32_768
    static let promptBytes = 64 << 10

    // Curation.
    static let selected = 256

    // Labelling.
    static let concurrency = 1...1_024
}

/// The rule that names of models, datasets and tenants obey.
public enum SpecificationName {
    public static let rule =
        "A name has at most 100 lowercase letters, digits, `.`, `_` and `-`, and begins with a letter "
        + "or a digit."

    /// Whether `name` obeys the rule.
    public static func isValid(_ name: some StringProtocol) -> Bool {
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard let first = name.utf8.first, isLetterOrDigit(first) else { return false }
        return name.utf8.count <= SpecificationLimits.nameBytes
            && name.utf8.allSatisfy { isLetterOrDigit($0) || "._-".utf8.contains($0) }
    }
}

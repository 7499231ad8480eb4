/// How much of everything a demo does.
struct DemoScale {
    /// What models are made of, as a specification's `model.new` has it, without a tokenizer.
    struct Measures {
        var hidden: Int
        var layers: Int
        var heads: Int
        var keyValueHeads: Int
        var intermediate: Int

        func text(tokenizer: String? = nil) -> String {
            "{architecture: llama, hidden: \(hidden), layers: \(layers), heads: \(heads), "
                + "keyValueHeads: \(keyValueHeads), intermediate: \(intermediate), vocabulary: 4096"
                + (tokenizer.map { ", tokenizer: \($0)" } ?? "") + "}"
        }
    }

    /// What answers until a student is proven.
    var generalist: Measures
    /// How often it reads all descriptions, and then what it is taught.
    var readings: Int
    var lessons: Int
    var student: Measures
    var studentReadings: Int
    var studentLessons: Int
    /// Calls before each turn.
    var calls: Int
    /// Calls that the last turn's model answers.
    var closingCalls: Int
    var turns = 3

    static let whole = DemoScale(
        generalist: .init(hidden: 256, layers: 4, heads: 8, keyValueHeads: 2, intermediate: 704),
        readings: 2, lessons: 3,
        student: .init(hidden: 96, layers: 2, heads: 4, keyValueHeads: 2, intermediate: 256),
        studentReadings: 3, studentLessons: 4, calls: 6_000, closingCalls: 1_800)

    /// Fewer calls, and a generalist that knows less.
    static let quick = DemoScale(
        generalist: .init(hidden: 192, layers: 4, heads: 6, keyValueHeads: 2, intermediate: 512),
        readings: 1, lessons: 1,
        student: .init(hidden: 96, layers: 3, heads: 4, keyValueHeads: 2, intermediate: 256),
        studentReadings: 1, studentLessons: 8, calls: 3_000, closingCalls: 1_000)
}

public import Tokenizers

/// CONTRACT (bodies follow): a dataset row as the trainer sees it.
public struct TokenizedDocument: Sendable, Equatable {
    public var tokens: [Int32]
    /// `weights[i]` is the loss weight of predicting `tokens[i]` from those before; `weights[0]` is 0.
    public var weights: [Float]

    /// Writes `row` out and finds, by token spans of the rendered text, what is learned: assistant
    /// turns with their closing token (chat), the completion and end of text, or all of a text.
    /// Throws `InputError` where nothing would be learned.
    public init(_ row: DatasetRow, tokenizer: Tokenizer, template: ChatTemplate) throws {
        fatalError("contract")
    }

    /// The tokens that open an answer: the row without its last assistant turn, ready to generate.
    public static func prompt(
        of row: DatasetRow, tokenizer: Tokenizer, template: ChatTemplate
    ) throws -> [Int32] { fatalError("contract") }
}

/// CONTRACT: reads a JSONL file of rows, all of one shape.
public enum DatasetFile {
    /// Throws `InputError` naming file, line and field of the first row that cannot be used.
    public static func rows(at path: String) throws -> [DatasetRow] { fatalError("contract") }
}

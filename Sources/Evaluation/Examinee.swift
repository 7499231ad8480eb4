public import Models
public import Tokenizers

/// Whoever sits an exam: a model with what it takes to ask it in words.
public struct Examinee {
    /// What people call it: `name@version`.
    public var name: String
    public var model: Transformer
    public var tokenizer: Tokenizer
    public var template: ChatTemplate

    public init(name: String, model: Transformer, tokenizer: Tokenizer, template: ChatTemplate) {
        self.name = name
        self.model = model
        self.tokenizer = tokenizer
        self.template = template
    }
}

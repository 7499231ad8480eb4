/// CONTRACT (bodies follow): how a conversation is written out for a model.
public struct ChatTemplate: Sendable {
    /// `<|im_start|>role\ncontent<|im_end|>\n`, the template of models made from nothing.
    public static let chatML = ChatTemplate()

    public struct Rendered: Sendable, Equatable {
        public var text: String
        /// The UTF-8 range of each assistant turn that is learned: its content and the token that ends
        /// it; with the index of its message.
        public var answers: [(message: Int, range: Range<Int>)] { fatalError("contract") }
        public static func == (a: Self, b: Self) -> Bool { a.text == b.text }
    }

    /// The conversation as text; with `opensAnswer`, followed by the opening of an assistant's turn.
    public func render(_ messages: [ChatMessage], opensAnswer: Bool) throws -> Rendered {
        fatalError("contract")
    }
}

import FlywheelCore

extension ChatTemplate {
    /// The tokens that a template and its tokenizer know by name.
    struct Tokens: Sendable {
        /// `bos_token`, `eos_token` and their like.
        var named: [String: String]
        var special: [String]

        var endOfDocument: String? {
            all.contains(ChatTemplate.endOfText) ? ChatTemplate.endOfText : named["eos_token"]
        }

        var all: Set<String> { Set(special).union(named.values).subtracting([""]) }

        /// The special tokens in `text`, from left to right.
        func found(in text: Jinja.Text) -> [String] {
            let candidates = all.map { Array($0.utf8) }.sorted { $0.count > $1.count }
            var found: [String] = []
            var index = 0
            while index < text.bytes.count {
                let rest = text.bytes[index...]
                if let token = candidates.first(where: { rest.starts(with: $0) }) {
                    found.append(String(decoding: token, as: UTF8.self))
                    index += token.count
                } else {
                    index += 1
                }
            }
            return found
        }
    }

    /// One template of a model, and what was learned of it by asking.
    struct Form: Sendable {
        let title: String
        let jinja: String
        let program: Jinja.Program
        let tokens: Tokens
        /// The tokens that end an assistant's turn.
        private(set) var endsOfTurn: [String] = []
        /// What the template writes to open an assistant's turn; empty where that was not found.
        private(set) var opening: [UInt8] = []
        /// Whether the arguments of a call are given as text, because the template adds them to text;
        /// others take the object.
        private(set) var takesArgumentsAsText = false

        init(_ jinja: String, title: String, tokens: Tokens) throws {
            self.title = title
            self.jinja = jinja
            self.tokens = tokens
            do {
                program = try Jinja.Program(parsing: jinja)
            } catch let error as InputError {
                throw error.inFile(title)
            }
            learn()
        }

        /// Writes short conversations and looks at what the template makes of them.
        ///
        /// A template that refuses them teaches nothing: then `eos_token` alone ends turns.
        private mutating func learn() {
            let question = ChatMessage(role: .user, content: "question")
            let answer = ChatMessage(role: .assistant, content: "answer")
            if let closed = written([question, answer]), let end = Self.end(of: closed, message: 1),
                let token = tokens.found(in: closed[end..<closed.bytes.count]).first
            {
                endsOfTurn.append(token)
            }
            var call = ChatMessage(role: .assistant, content: "")
            call.toolCalls = [.init(id: "call_1", name: "tool", arguments: #"{"key": "value"}"#)]
            var called = written([question, call])
            if called == nil {
                takesArgumentsAsText = true
                called = written([question, call])
                takesArgumentsAsText = called != nil
            }
            if let called, let end = Self.end(of: called, message: 1),
                let token = tokens.found(in: called[end..<called.bytes.count]).last
            {
                endsOfTurn.append(token)
            }
            if let token = tokens.named["eos_token"], !token.isEmpty { endsOfTurn.append(token) }
            endsOfTurn = endsOfTurn.enumerated().filter { index, token in
                endsOfTurn.firstIndex(of: token) == index
            }.map(\.element)
            if let asked = written([question]), let opened = written([question], opensAnswer: true)
            {
                let same = zip(asked.bytes, opened.bytes).prefix { $0 == $1 }.count
                opening = Array(opened.bytes[same...])
            }
        }

        /// Whether calls are written as `<tool_call>{"name": …, "arguments": …}</tool_call>`.
        var tagsCalls: Bool { jinja.contains("<tool_call>") }

        private func written(_ messages: [ChatMessage], opensAnswer: Bool = false) -> Jinja.Text? {
            let conversation = try? Conversation(messages, [], form: self, clock: .standing)
            return try? conversation?.written(opensAnswer: opensAnswer).text
        }

        /// Where the last that a message typed ends.
        private static func end(of text: Jinja.Text, message: Int) -> Int? {
            text.runs.last { $0.origin == message }?.range.upperBound
        }
    }
}

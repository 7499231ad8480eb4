import FlywheelCore

extension Jinja {
    /// Makes a tree of tokens, and refuses what has no meaning here.
    struct Parser {
        private let tokens: [Token]
        private var position = 0
        private var depth = 0
        private(set) var numbers: [String: Int] = [:]
        /// Macros, and where functions are called that must be one of them.
        var macros: Set<String> = []
        var calls: [(name: String, line: Int)] = []
        var marksGeneration = false
        /// How many loops, and how many blocks whose text is kept, surround the statement.
        var loops = 0
        var captures = 0

        init(_ tokens: [Token]) { self.tokens = tokens }

        mutating func template() throws -> [Node] {
            let nodes = try statements(until: [])
            for call in calls where !macros.contains(call.name) {
                throw unknown(
                    "function", call.name, Function.allCases.map(\.rawValue) + macros.sorted(),
                    line: call.line)
            }
            return nodes
        }

        // MARK: Tokens

        var token: Token { tokens[min(position, tokens.count - 1)] }
        var line: Int { token.line }

        mutating func next() -> Token {
            defer { position += 1 }
            return token
        }

        func isNext(_ symbol: String) -> Bool { token.kind == .symbol(symbol) }
        func isNext(word: String) -> Bool { token.kind == .name(word) }
        func isAfterNext(_ symbol: String) -> Bool {
            position + 1 < tokens.count && tokens[position + 1].kind == .symbol(symbol)
        }
        func isAfterNext(word: String) -> Bool {
            position + 1 < tokens.count && tokens[position + 1].kind == .name(word)
        }

        var isNextBlockEnd: Bool { token.kind == .blockEnd || token.kind == .variableEnd }

        /// Gives the last token back.
        mutating func stepBack() { position -= 1 }

        mutating func skip(_ symbol: String) -> Bool {
            guard isNext(symbol) else { return false }
            position += 1
            return true
        }

        mutating func skip(word: String) -> Bool {
            guard isNext(word: word) else { return false }
            position += 1
            return true
        }

        mutating func expect(_ symbol: String) throws {
            guard skip(symbol) else { throw error("\(shown) where \"\(symbol)\" should be") }
        }

        mutating func expect(word: String) throws {
            guard skip(word: word) else { throw error("\(shown) where \"\(word)\" should be") }
        }

        mutating func expectEnd(_ kind: Token.Kind) throws {
            guard next().kind == kind else {
                stepBack()
                throw error("\(shown) where the tag should end")
            }
        }

        mutating func identifier() throws -> String {
            guard case .name(let name) = token.kind else {
                throw error("\(shown) where a name should be")
            }
            position += 1
            return name
        }

        mutating func name(_ text: String) -> Name {
            if let number = numbers[text] { return Name(number: number, text: text) }
            let name = Name(number: numbers.count, text: text)
            numbers[text] = name.number
            return name
        }

        /// Runs `body` one level deeper.
        mutating func nested<Result>(_ body: (inout Self) throws -> Result) throws -> Result {
            depth += 1
            defer { depth -= 1 }
            guard depth <= Limits.depthMax else {
                throw error("it nests deeper than \(Limits.depthMax)")
            }
            return try body(&self)
        }

        // MARK: Sentences

        /// What comes next, for a sentence.
        var shown: String {
            switch token.kind {
            case .name(let name): "\"\(name)\""
            case .symbol(let symbol): "\"\(symbol)\""
            case .string, .integer, .number: "a constant"
            case .data: "text"
            case .blockBegin, .variableBegin: "a new tag"
            case .blockEnd, .variableEnd: "the end of the tag"
            case .end: "the end of the template"
            }
        }

        func error(_ problem: String, line: Int? = nil) -> InputError {
            InputError(line: line ?? self.line, problem, remedy: Jinja.remedy)
        }

        func unknown(
            _ what: String, _ name: String, _ known: [String], line: Int? = nil
        ) -> InputError {
            let near = nearest(to: name, among: known).map { "; did it mean \($0)?" } ?? ""
            return error("the \(what) \"\(name)\" is not known here\(near)", line: line)
        }
    }
}

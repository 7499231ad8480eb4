public import FlywheelCore

/// Arithmetic over the scores of named graders: `+ - * /`, parentheses, `min`, `max`, `abs`.
public struct Formula: Sendable, Equatable {
    public let text: String
    private let root: Node

    private indirect enum Node: Sendable, Equatable {
        case number(Double)
        case name(String)
        case operation(Character, Node, Node)
        case call(String, [Node])
    }

    /// Throws `InputError`, without a field, for wrong arithmetic and for a name not among `names`.
    public init(_ text: String, names: [String]) throws(InputError) {
        var parser = Parser(characters: Array(text), names: names)
        root = try parser.sum()
        try parser.finish()
        self.text = text
    }

    /// The value over `scores`, kept between 0 and 1; 0 where it is no number.
    package func value(_ scores: [String: Double]) -> Double {
        let value = Self.value(root, scores)
        return value.isNaN ? 0 : min(max(value, 0), 1)
    }

    private static func value(_ node: Node, _ scores: [String: Double]) -> Double {
        switch node {
        case .number(let number): return number
        case .name(let name): return scores[name] ?? 0
        case .operation(let sign, let a, let b):
            let (a, b) = (value(a, scores), value(b, scores))
            return sign == "+" ? a + b : sign == "-" ? a - b : sign == "*" ? a * b : a / b
        case .call(let name, let arguments):
            let values = arguments.map { value($0, scores) }
            return name == "abs"
                ? abs(values[0]) : (name == "min" ? values.min() : values.max()) ?? 0
        }
    }

    private struct Parser {
        let characters: [Character]
        let names: [String]
        var position = 0
        var depth = 0

        private func error(_ problem: String, _ remedy: String = "") -> InputError {
            InputError(
                "\(problem) at character \(position + 1) of the arithmetic",
                remedy: remedy.isEmpty ? "For example: `0.8 * intent + 0.2 * words`." : remedy)
        }

        private mutating func peek() -> Character? {
            while position < characters.count, characters[position].isWhitespace { position += 1 }
            return position < characters.count ? characters[position] : nil
        }

        private mutating func take(_ wanted: Character) -> Bool {
            guard peek() == wanted else { return false }
            position += 1
            return true
        }

        mutating func finish() throws(InputError) {
            if let found = peek() { throw error("`\(found)` is not expected") }
        }

        mutating func sum() throws(InputError) -> Node {
            depth += 1
            guard depth <= 100 else { throw error("nested deeper than 100") }
            defer { depth -= 1 }
            var node = try product()
            while let sign = peek(), sign == "+" || sign == "-" {
                position += 1
                node = .operation(sign, node, try product())
            }
            return node
        }

        private mutating func product() throws(InputError) -> Node {
            var node = try factor()
            while let sign = peek(), sign == "*" || sign == "/" {
                position += 1
                node = .operation(sign, node, try factor())
            }
            return node
        }

        private mutating func factor() throws(InputError) -> Node {
            if take("-") { return .operation("-", .number(0), try factor()) }
            if take("(") {
                let node = try sum()
                guard take(")") else { throw error("a `)` is missing") }
                return node
            }
            guard let first = peek() else { throw error("a number or a name is missing") }
            let start = position
            let isNumber = first.isNumber || first == "."
            while position < characters.count,
                characters[position].isNumber || characters[position] == "."
                    || !isNumber && (characters[position].isLetter || characters[position] == "_")
            { position += 1 }
            let word = String(characters[start..<position])
            if isNumber, let number = Double(word) { return .number(number) }
            guard !word.isEmpty, !isNumber else { throw error("`\(first)` is not expected") }
            if ["min", "max", "abs"].contains(word), take("(") { return try call(word) }
            guard names.contains(word) else {
                throw error(
                    "no grader is called `\(word)`",
                    nearest(to: word, among: names).map { "Did you mean `\($0)`?" }
                        ?? "Graders here are \(names.map { "`\($0)`" }.joined(separator: ", ")).")
            }
            return .name(word)
        }

        private mutating func call(_ name: String) throws(InputError) -> Node {
            var arguments = [try sum()]
            while take(",") { arguments.append(try sum()) }
            guard take(")") else { throw error("a `)` is missing") }
            guard name != "abs" || arguments.count == 1 else {
                throw error("`abs` takes one number")
            }
            return .call(name, arguments)
        }
    }
}

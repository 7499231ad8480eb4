import FlywheelCore

/// Reads a regular expression in Oniguruma's Ruby syntax, or the part of it that tokenizers use.
///
/// That is: alternatives; groups, also `(?:)`, `(?>)`, `(?i:)`; looking ahead, and one character
/// back; `* + ? {n,m}`, greedy, possessive or lazy for one character; classes with ranges, nesting
/// and `&&`; `\p{}` of general categories; `\s \d \w \h`; anchors. As in Ruby `^` and `$` are of
/// lines, and `{n,m}+` repeats what is repeated. Throws `InputError` of anything else.
struct ExpressionParser {
    private indirect enum Node {
        case set(CharacterSet.Item)
        case sequence([Node])
        case choice([Node])
        case repeated(Node, min: Int, max: Int, Mode)
        case anchor(Expression.Anchor)
        case look(Node, ahead: Bool, isNegated: Bool)
        case atomic(Node)
    }

    private enum Mode { case greedy, possessive, lazy }

    /// Longer than any expression of a real file, compiled.
    private static let stepsMax = 10_000

    let text: [Unicode.Scalar]
    var index = 0
    var ignoresCase = false
    private var expression = Expression()

    static func compile(_ text: String) throws(InputError) -> Expression {
        var parser = ExpressionParser(text)
        let node = try parser.choice()
        guard parser.index == parser.text.count else { throw parser.refusal("an unpaired )") }
        parser.expression.programs = [[]]
        parser.expression.programs[0] = try parser.steps(node) + [.accept]
        return parser.expression
    }

    init(_ text: String) { self.text = Array(text.unicodeScalars) }

    func refusal(_ what: String) -> InputError {
        InputError(
            "the expression \(String(String.UnicodeScalarView(text))) has, at character \(index), \(what), "
                + "which is not supported",
            remedy: "Nothing was read. Choose a model with another tokenizer.")
    }

    var next: Unicode.Scalar? { index < text.count ? text[index] : nil }

    mutating func take(_ written: String) -> Bool {
        let written = Array(written.unicodeScalars)
        guard text[index...].starts(with: written) else { return false }
        index += written.count
        return true
    }
}

extension ExpressionParser {
    private mutating func choice() throws(InputError) -> Node {
        let isFolding = ignoresCase
        defer { ignoresCase = isFolding }
        var choices = [try sequence()]
        while take("|") { choices.append(try sequence()) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func sequence() throws(InputError) -> Node {
        var nodes: [Node] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            if take("(?i)") {
                ignoresCase = true
                continue
            }
            nodes.append(try repetitions(of: try atom()))
        }
        return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    private mutating func atom() throws(InputError) -> Node {
        if take("(") { return try group() }
        if take("^") { return .anchor(.lineStart) }
        if take("$") { return .anchor(.lineEnd) }
        for (written, anchor) in [
            (#"\A"#, Expression.Anchor.start), (#"\z"#, .end), (#"\Z"#, .lastLineEnd),
            (#"\b"#, .boundary), (#"\B"#, .noBoundary),
        ] where take(written) { return .anchor(anchor) }
        if take(".") { return .set(.not(.character(0x0A))) }
        if take("[") { return .set(folded(try characterClass())) }
        if let scalar = next, "*+?{".unicodeScalars.contains(scalar) {
            throw refusal("a `\(scalar)` after nothing")
        }
        return .set(folded(try character()))
    }

    private func folded(_ item: CharacterSet.Item) -> CharacterSet.Item {
        ignoresCase ? .ignoringCase(item) : item
    }

    private mutating func group() throws(InputError) -> Node {
        let wasFolding = ignoresCase
        defer { ignoresCase = wasFolding }
        var wrap: (Node) -> Node = { $0 }
        if take("?:") {
        } else if take("?i:") {
            ignoresCase = true
        } else if take("?-i:") {
            ignoresCase = false
        } else if take("?>") {
            wrap = { .atomic($0) }
        } else if take("?=") {
            wrap = { .look($0, ahead: true, isNegated: false) }
        } else if take("?!") {
            wrap = { .look($0, ahead: true, isNegated: true) }
        } else if take("?<=") {
            wrap = { .look($0, ahead: false, isNegated: false) }
        } else if take("?<!") {
            wrap = { .look($0, ahead: false, isNegated: true) }
        } else if next == "?" {
            throw refusal("a group of another kind")
        }
        let node = wrap(try choice())
        guard take(")") else { throw refusal("an unpaired (") }
        if case .look(let inner, ahead: false, _) = node {
            guard case .set = inner else { throw refusal("a look back at more than a character") }
        }
        return node
    }

    private mutating func repetitions(of atom: Node) throws(InputError) -> Node {
        var node = atom
        while let scalar = next {
            var bounds: (min: Int, max: Int)
            var isInterval = false
            switch scalar {
            case "*": bounds = (0, .max)
            case "+": bounds = (1, .max)
            case "?": bounds = (0, 1)
            case "{":
                guard let found = try interval() else { return node }
                (bounds, isInterval) = (found, true)
            default: return node
            }
            if !isInterval { index += 1 }
            var mode = Mode.greedy
            if take("?") {
                guard !isInterval else { throw refusal("a lazy interval") }
                mode = .lazy
            } else if !isInterval, take("+") {
                mode = .possessive
            }
            node = .repeated(node, min: bounds.min, max: bounds.max, mode)
        }
        return node
    }

    /// `{n}`, `{n,}`, `{,m}`, `{n,m}`.
    private mutating func interval() throws(InputError) -> (min: Int, max: Int)? {
        guard let close = text[index...].firstIndex(of: "}") else { throw refusal("an open {") }
        let parts = String(String.UnicodeScalarView(text[index + 1..<close]))
            .split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
        let numbers = parts.map { $0.isEmpty ? nil : Int($0) }
        guard (1...2).contains(parts.count),
            zip(parts, numbers).allSatisfy({ $0.isEmpty || $1 != nil }),
            numbers.contains(where: { $0 != nil })
        else { throw refusal("an interval that is none") }
        let min = numbers[0] ?? 0
        let max = numbers.count == 1 ? min : numbers[1] ?? .max
        guard min <= max, min <= 1_000, max == .max || max <= 1_000 else {
            throw refusal("an interval that is reversed or above 1000")
        }
        index = close + 1
        return (min, max)
    }
}

extension ExpressionParser {
    private mutating func set(_ item: CharacterSet.Item) -> Int {
        expression.sets.append(CharacterSet(item))
        return expression.sets.count - 1
    }

    private mutating func program(_ node: Node) throws(InputError) -> Int {
        let program = try steps(node) + [.accept]
        expression.programs.append(program)
        return expression.programs.count - 1
    }

    private mutating func steps(_ node: Node) throws(InputError) -> [Expression.Step] {
        let steps: [Expression.Step]
        switch node {
        case .set(let item): steps = [.one(set: set(item))]
        case .sequence(let nodes):
            var all: [Expression.Step] = []
            for node in nodes { all += try self.steps(node) }
            steps = all
        case .choice(let nodes):
            var all = try self.steps(nodes[nodes.count - 1])
            for node in nodes.dropLast().reversed() {
                let first = try self.steps(node)
                all = [.either(1, first.count + 2)] + first + [.jump(all.count + 1)] + all
            }
            steps = all
        case .repeated(.set(let item), let min, let max, .greedy):
            steps = [.run(set: set(item), min: min, max: max, .greedy)]
        case .repeated(.set(let item), let min, let max, .possessive):
            steps = [.run(set: set(item), min: min, max: max, .possessive)]
        case .repeated(let node, let min, let max, let mode):
            steps = try repeated(node, min, max, mode)
        case .anchor(let anchor): steps = [.anchor(anchor)]
        case .look(let node, let ahead, let isNegated):
            steps = [.look(program: try program(node), ahead: ahead, isNegated: isNegated)]
        case .atomic(let node): steps = [.atomic(program: try program(node))]
        }
        guard steps.count < Self.stepsMax else { throw refusal("too much") }
        return steps
    }

    private mutating func repeated(
        _ node: Node, _ min: Int, _ max: Int, _ mode: Mode
    ) throws(InputError) -> [Expression.Step] {
        if mode == .possessive {
            return [.atomic(program: try program(.repeated(node, min: min, max: max, .greedy)))]
        }
        let body = try steps(node)
        guard !Self.canBeEmpty(node) || max < .max else {
            throw refusal("a repetition of what may be nothing")
        }
        guard body.count * (min + (max == .max ? 1 : max)) < Self.stepsMax else {
            throw refusal("too much")
        }
        var all = Array(repeatElement(body, count: min).joined())
        func either(_ inside: Int, _ outside: Int) -> Expression.Step {
            mode == .lazy ? .either(outside, inside) : .either(inside, outside)
        }
        if max == .max {
            all += [either(1, body.count + 2)] + body + [.jump(-body.count - 1)]
        } else {
            for left in stride(from: max - min, to: 0, by: -1) {
                all += [either(1, left * (body.count + 1))] + body
            }
        }
        return all
    }

    private static func canBeEmpty(_ node: Node) -> Bool {
        switch node {
        case .set: false
        case .sequence(let nodes): nodes.allSatisfy(canBeEmpty)
        case .choice(let nodes): nodes.contains(where: canBeEmpty)
        case .repeated(let node, let min, _, _): min == 0 || canBeEmpty(node)
        case .anchor, .look: true
        case .atomic(let node): canBeEmpty(node)
        }
    }
}

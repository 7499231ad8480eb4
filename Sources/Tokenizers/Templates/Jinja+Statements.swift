import FlywheelCore

extension Jinja.Parser {
    /// The statements up to a block tag that begins with one of `ends`, whose name is left to read.
    mutating func statements(until ends: [String]) throws -> [Jinja.Node] {
        var nodes: [Jinja.Node] = []
        while true {
            let token = next()
            switch token.kind {
            case .data(let text): nodes.append(.init(line: token.line, statement: .data(text)))
            case .variableBegin:
                let value = try tupleOrExpression()
                try expectEnd(.variableEnd)
                nodes.append(.init(line: token.line, statement: .print(value)))
            case .blockBegin:
                if case .name(let word) = self.token.kind, ends.contains(word) { return nodes }
                let statement = try nested { try $0.statement() }
                nodes.append(.init(line: token.line, statement: statement))
            default:
                guard ends.isEmpty else {
                    throw error("the template ends where {% \(ends[ends.count - 1]) %} should be")
                }
                return nodes
            }
        }
    }

    /// The statements up to `{% end %}`, and that tag.
    private mutating func body(until end: String) throws -> [Jinja.Node] {
        let nodes = try statements(until: [end])
        try expect(word: end)
        try expectEnd(.blockEnd)
        return nodes
    }

    private static let tags = [
        "for", "if", "set", "macro", "generation", "break", "continue", "filter", "raw",
    ]

    private mutating func statement() throws -> Jinja.Statement {
        let line = line
        let tag = try identifier()
        switch tag {
        case "for": return try loop()
        case "if": return try condition()
        case "set": return try set()
        case "macro": return try macro()
        case "filter": return try filterBlock()
        case "generation":
            guard captures == 0 else {
                throw error("{% generation %} stands where its place in the output is not known")
            }
            marksGeneration = true
            try expectEnd(.blockEnd)
            return .generation(try body(until: "endgeneration"))
        case "break", "continue":
            guard loops > 0 else { throw error("{% \(tag) %} stands outside of loops") }
            try expectEnd(.blockEnd)
            return tag == "break" ? .break : .continue
        default: throw unknown("tag", tag, Self.tags, line: line)
        }
    }

    private mutating func loop() throws -> Jinja.Statement {
        let target = try target()
        try expect(word: "in")
        let items = try tupleOrExpression(allowsCondition: false)
        let condition = skip(word: "if") ? try expression() : nil
        guard !isNext(word: "recursive") else { throw error("recursive loops are not known here") }
        try expectEnd(.blockEnd)
        loops += 1
        let body = try statements(until: ["endfor", "else"])
        loops -= 1
        var otherwise: [Jinja.Node] = []
        if skip(word: "else") {
            try expectEnd(.blockEnd)
            otherwise = try statements(until: ["endfor"])
        }
        try expect(word: "endfor")
        try expectEnd(.blockEnd)
        return .loop(
            .init(
                target: target, items: items, condition: condition, body: body,
                otherwise: otherwise))
    }

    private mutating func condition() throws -> Jinja.Statement {
        var branches: [(Jinja.Expression, [Jinja.Node])] = []
        repeat {
            let condition = try tupleOrExpression()
            try expectEnd(.blockEnd)
            branches.append((condition, try statements(until: ["elif", "else", "endif"])))
        } while skip(word: "elif")
        var otherwise: [Jinja.Node] = []
        if skip(word: "else") {
            try expectEnd(.blockEnd)
            otherwise = try statements(until: ["endif"])
        }
        try expect(word: "endif")
        try expectEnd(.blockEnd)
        return .condition(branches, otherwise: otherwise)
    }

    private mutating func set() throws -> Jinja.Statement {
        let target = try target(allowsAttribute: true)
        if skip("=") {
            let value = try tupleOrExpression()
            try expectEnd(.blockEnd)
            return .set(target, value)
        }
        let block = try captured(until: "endset")
        guard let filtered = block.filtered else { return .setBlock(target, block.body) }
        // The text is caught under the name, and given back to it filtered.
        let name = name("caught text")
        let node = Jinja.Node(line: line, statement: .setBlock(.name(name), block.body))
        return .block([node, .init(line: line, statement: .set(target, filtered))])
    }

    private mutating func filterBlock() throws -> Jinja.Statement {
        let block = try captured(until: "endfilter", isFilter: true)
        let caught = Jinja.Node(
            line: line, statement: .setBlock(.name(name("caught text")), block.body))
        let shown = block.filtered ?? .none
        return .block([caught, .init(line: line, statement: .print(shown))])
    }

    /// A block whose text is kept, and what the filters in its tag make of the text.
    private mutating func captured(
        until end: String, isFilter: Bool = false
    ) throws -> (body: [Jinja.Node], filtered: Jinja.Expression?) {
        var filtered: Jinja.Expression?
        let caught = Jinja.Expression.name(name("caught text"))
        if isFilter {
            filtered = try filters(of: try filter(caught))
        } else if !isNextBlockEnd {
            filtered = try filters(of: caught)
        }
        try expectEnd(.blockEnd)
        captures += 1
        defer { captures -= 1 }
        return (try body(until: end), filtered)
    }

    private mutating func macro() throws -> Jinja.Statement {
        let title = try identifier()
        macros.insert(title)
        var parameters: [(name: Jinja.Name, fallback: Jinja.Expression?)] = []
        try expect("(")
        while !skip(")") {
            if !parameters.isEmpty { try expect(",") }
            let parameter = name(try identifier())
            parameters.append((parameter, skip("=") ? try expression() : nil))
        }
        try expectEnd(.blockEnd)
        captures += 1
        // A loop around the macro is not one that its body could leave.
        let outer = loops
        loops = 0
        defer { (captures, loops) = (captures - 1, outer) }
        let body = try body(until: "endmacro")
        return .macro(.init(name: name(title), parameters: parameters, body: body))
    }

    /// What a value is given to: a name, several, or what a namespace holds.
    private mutating func target(allowsAttribute: Bool = false) throws -> Jinja.Target {
        var targets = [try singleTarget(allowsAttribute)]
        while skip(",") { targets.append(try singleTarget(false)) }
        return targets.count == 1 ? targets[0] : .tuple(targets)
    }

    private mutating func singleTarget(_ allowsAttribute: Bool) throws -> Jinja.Target {
        if skip("(") {
            let inner = try target()
            try expect(")")
            return inner
        }
        let name = name(try identifier())
        if allowsAttribute, skip(".") { return .attribute(name, .init(try identifier())) }
        return .name(name)
    }
}

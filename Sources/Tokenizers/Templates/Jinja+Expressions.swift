import FlywheelCore

extension Jinja.Parser {
    private typealias Expression = Jinja.Expression

    /// An expression, or several with commas between them: a tuple.
    mutating func tupleOrExpression(allowsCondition: Bool = true) throws -> Jinja.Expression {
        let first = try allowsCondition ? expression() : disjunction()
        guard isNext(",") else { return first }
        var elements = [first]
        while skip(",") {
            guard !isNextBlockEnd else { break }
            elements.append(try allowsCondition ? expression() : disjunction())
        }
        return .tuple(elements)
    }

    mutating func expression() throws -> Jinja.Expression {
        try nested { try $0.conditional() }
    }

    private mutating func conditional() throws -> Expression {
        var value = try disjunction()
        while skip(word: "if") {
            let condition = try disjunction()
            let otherwise = skip(word: "else") ? try expression() : nil
            value = .conditional(condition: condition, then: value, otherwise: otherwise)
        }
        return value
    }

    private mutating func disjunction() throws -> Expression {
        var value = try conjunction()
        while skip(word: "or") { value = .or(value, try conjunction()) }
        return value
    }

    private mutating func conjunction() throws -> Expression {
        var value = try negation()
        while skip(word: "and") { value = .and(value, try negation()) }
        return value
    }

    private mutating func negation() throws -> Expression {
        guard skip(word: "not") else { return try comparison() }
        return .not(try nested { try $0.negation() })
    }

    private mutating func comparison() throws -> Expression {
        let first = try sum()
        var compared: [(Jinja.Comparison, Expression)] = []
        while true {
            if case .symbol(let symbol) = token.kind,
                let comparison = Jinja.Comparison(rawValue: symbol)
            {
                _ = next()
                compared.append((comparison, try sum()))
            } else if skip(word: "in") {
                compared.append((.within, try sum()))
            } else if isNext(word: "not"), isAfterNext(word: "in") {
                _ = next()
                _ = next()
                compared.append((.notWithin, try sum()))
            } else {
                return compared.isEmpty ? first : .comparison(first, compared)
            }
        }
    }

    private mutating func sum() throws -> Expression {
        var value = try joining()
        while case .symbol(let symbol) = token.kind, symbol == "+" || symbol == "-",
            let sign = Jinja.Operator(rawValue: symbol)
        {
            _ = next()
            value = .arithmetic(value, sign, try joining())
        }
        return value
    }

    private mutating func joining() throws -> Expression {
        var parts = [try product()]
        while skip("~") { parts.append(try product()) }
        return parts.count == 1 ? parts[0] : .joined(parts)
    }

    private mutating func product() throws -> Expression {
        var value = try power()
        while case .symbol(let symbol) = token.kind, ["*", "/", "//", "%"].contains(symbol),
            let sign = Jinja.Operator(rawValue: symbol)
        {
            _ = next()
            value = .arithmetic(value, sign, try power())
        }
        return value
    }

    private mutating func power() throws -> Expression {
        var value = try unary()
        while skip("**") { value = .arithmetic(value, .power, try unary()) }
        return value
    }

    private mutating func unary(withFilters: Bool = true) throws -> Expression {
        var value: Expression
        if skip("-") {
            value = .negative(try nested { try $0.unary(withFilters: false) })
        } else if skip("+") {
            value = try nested { try $0.unary(withFilters: false) }
        } else {
            value = try postfixed(try primary())
        }
        return withFilters ? try filters(of: value) : value
    }

    // MARK: What stands alone

    private mutating func primary() throws -> Expression {
        let token = next()
        switch token.kind {
        case .name(let text):
            switch text {
            case "true", "True": return .boolean(true)
            case "false", "False": return .boolean(false)
            case "none", "None": return .none
            case "caller", "varargs", "kwargs":
                throw error("\"\(text)\" of macros is not known here")
            default: return .name(name(text))
            }
        case .string(var text):
            // Texts beside each other are one, as in Python.
            while case .string(let more) = self.token.kind {
                text += more
                _ = next()
            }
            return .text(.init(text))
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .symbol("("): return try parenthesized()
        case .symbol("["): return .list(try list(until: "]") { try $0.expression() })
        case .symbol("{"):
            return .mapping(
                try list(until: "}") { parser in
                    let key = try parser.expression()
                    try parser.expect(":")
                    return (key, try parser.expression())
                })
        default:
            stepBack()
            throw error("\(shown) where a value should be")
        }
    }

    private mutating func parenthesized() throws -> Expression {
        if skip(")") { return .tuple([]) }
        let first = try expression()
        guard isNext(",") else {
            try expect(")")
            return first
        }
        _ = next()
        return .tuple([first] + (try list(until: ")") { try $0.expression() }))
    }

    private mutating func list<Element>(
        until end: String, _ element: (inout Self) throws -> Element
    ) throws -> [Element] {
        var elements: [Element] = []
        while !skip(end) {
            if !elements.isEmpty {
                try expect(",")
                if skip(end) { break }
            }
            elements.append(try element(&self))
        }
        return elements
    }

    // MARK: What follows a value

    private mutating func postfixed(_ value: Expression) throws -> Expression {
        var value = value
        while true {
            if skip(".") {
                value = try member(of: value)
            } else if skip("[") {
                value = try subscripted(value)
            } else if isNext("(") {
                value = try call(value)
            } else {
                return value
            }
        }
    }

    private mutating func member(of value: Expression) throws -> Expression {
        if case .integer(let index) = token.kind {
            _ = next()
            return .item(value, .integer(index))
        }
        let line = line
        let member = try identifier()
        guard isNext("(") else {
            if case .name(let base) = value, base.text == "loop" {
                guard Jinja.Loop.members.contains(member) else {
                    throw unknown("member of loop", member, Jinja.Loop.members, line: line)
                }
            }
            return .attribute(value, .init(member))
        }
        guard let method = Jinja.Method(rawValue: member) else {
            throw unknown("method", member, Jinja.Method.allCases.map(\.rawValue), line: line)
        }
        return .method(value, method, try arguments())
    }

    private mutating func subscripted(_ value: Expression) throws -> Expression {
        func isBound(_ parser: Self) -> Bool { !parser.isNext(":") && !parser.isNext("]") }
        let start = isBound(self) ? try expression() : nil
        guard skip(":") else {
            guard let start else { throw error("there is nothing between [ and ]") }
            try expect("]")
            return .item(value, start)
        }
        let stop = isBound(self) ? try expression() : nil
        let step = skip(":") && isBound(self) ? try expression() : nil
        try expect("]")
        return .slice(value, start: start, stop: stop, step: step)
    }

    private mutating func call(_ value: Expression) throws -> Expression {
        guard case .name(let name) = value else {
            throw error("only functions, macros and methods can be called")
        }
        if name.function == nil { calls.append((name.text, line)) }
        return .call(name, try arguments())
    }

    private mutating func arguments() throws -> Jinja.Arguments {
        try expect("(")
        var arguments = Jinja.Arguments()
        _ = try list(until: ")") { parser in
            if case .name(let name) = parser.token.kind, parser.isAfterNext("=") {
                _ = parser.next()
                _ = parser.next()
                arguments.named.append((name, try parser.expression()))
            } else {
                guard !parser.isNext("*"), !parser.isNext("**") else {
                    throw parser.error("arguments with * are not known here")
                }
                arguments.positional.append(try parser.expression())
            }
        }
        return arguments
    }

    // MARK: Filters and tests

    /// `value` with the filters and tests that follow it.
    mutating func filters(of value: Jinja.Expression) throws -> Jinja.Expression {
        var value = value
        while true {
            if skip("|") {
                value = try filter(value)
            } else if skip(word: "is") {
                value = try test(value)
            } else if isNext("(") {
                value = try call(value)
            } else {
                return value
            }
        }
    }

    mutating func filter(_ value: Jinja.Expression) throws -> Jinja.Expression {
        let line = line
        let title = try identifier()
        guard let filter = Jinja.Filter(rawValue: title) else {
            throw unknown("filter", title, Jinja.Filter.names, line: line)
        }
        let arguments = isNext("(") ? try arguments() : .init()
        let inner = arguments.positional.dropFirst(filter.takesAttribute ? 1 : 0).first
        if case .text(let given) = inner {
            if filter == .map, Jinja.Filter(rawValue: given.string) == nil {
                throw unknown("filter", given.string, Jinja.Filter.names, line: line)
            }
            if filter.isSelection, Jinja.Test(rawValue: given.string) == nil {
                throw unknown("test", given.string, Jinja.Test.names, line: line)
            }
        }
        return .filter(value, filter, arguments)
    }

    private mutating func test(_ value: Expression) throws -> Expression {
        let isNegated = skip(word: "not")
        let line = line
        let title = try identifier()
        guard let test = Jinja.Test(rawValue: title) else {
            throw unknown("test", title, Jinja.Test.names, line: line)
        }
        var given = Jinja.Arguments()
        if isNext("(") {
            given = try arguments()
        } else if beginsArgument {
            given.positional = [try postfixed(try primary())]
        }
        let result = Expression.test(value, test, given)
        return isNegated ? .not(result) : result
    }

    /// Whether a test's one argument follows, without parentheses.
    private var beginsArgument: Bool {
        switch token.kind {
        case .name(let name): !["else", "or", "and", "is", "if", "in", "not"].contains(name)
        case .string, .integer, .number, .symbol("["), .symbol("{"): true
        default: false
        }
    }
}

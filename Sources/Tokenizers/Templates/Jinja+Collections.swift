import FlywheelCore

extension Jinja.Renderer {
    private typealias Value = Jinja.Value

    /// The filters that go through the elements of a value.
    func collection(
        _ filter: Jinja.Filter, _ value: Jinja.Value, _ given: Jinja.Given
    ) throws -> Jinja.Value {
        let elements = try elements(of: value)
        try spend(16 * elements.count)
        switch filter {
        case .first: return elements.first ?? .undefined("the first of nothing")
        case .last: return elements.last ?? .undefined("the last of nothing")
        case .list: return .list(elements)
        case .join:
            let arguments = try given.bound(to: ["d", "attribute"], of: "join")
            let parts = try arguments[1].map { path in try elements.map { try part(path, of: $0) } }
            let separator = try string(arguments[0] ?? .text(.init()))
            return .text(try join(.list(parts ?? elements), separator))
        case .map: return .list(try mapped(elements, given))
        case .select, .reject, .selectattr, .rejectattr:
            return .list(try selected(elements, filter, given))
        case .max, .min: return try extreme(elements, filter, given)
        case .sort, .unique: return .list(try sorted(elements, filter, given))
        case .dictsort:
            guard case .mapping(let mapping) = value, given.positional.isEmpty, given.named.isEmpty
            else { throw failure("dictsort takes a mapping, and no arguments here") }
            let entries = try mapping.entries.sorted {
                try precedes(folded(.text($0.key)), folded(.text($1.key)))
            }
            return .list(entries.map { .tuple([.text($0.key), $0.value]) })
        case .sum:
            let arguments = try given.bound(to: ["attribute", "start"], of: "sum")
            return try elements.reduce(arguments[1] ?? .integer(0)) { sum, element in
                let added = try arguments[0].map { try part($0, of: element) } ?? element
                return try arithmetic(sum, .add, added)
            }
        default: throw failure("the filter \(filter.rawValue) is not for \(value.kind)")
        }
    }

    /// The part of `value` that a path such as `function.name` leads to.
    private func part(_ path: Value, of value: Value) throws -> Value {
        guard case .text(let text) = path else { return try item(path, of: value) }
        var value = value
        for step in text.string.split(separator: ".", omittingEmptySubsequences: false) {
            let index = Int(step).map { Value.integer($0) } ?? .text(.init(String(step)))
            value = try item(index, of: value)
        }
        return value
    }

    private func mapped(_ elements: [Value], _ given: Jinja.Given) throws -> [Value] {
        if let path = given.named.first(where: { $0.name == "attribute" })?.value {
            let otherwise = given.named.first { $0.name == "default" }?.value
            return try elements.map { element in
                let part = try part(path, of: element)
                return part.isUndefined ? otherwise ?? part : part
            }
        }
        guard case .text(let name)? = given.positional.first else {
            throw failure("map takes the name of a filter, or attribute=")
        }
        guard let filter = Jinja.Filter(rawValue: name.string) else {
            throw failure("the filter \"\(name.string)\" is not known here")
        }
        let inner = Jinja.Given(
            positional: Array(given.positional.dropFirst()), named: given.named)
        return try elements.map { try apply(filter, to: $0, inner) }
    }

    private func selected(
        _ elements: [Value], _ filter: Jinja.Filter, _ given: Jinja.Given
    ) throws -> [Value] {
        var arguments = given.positional[...]
        let path = filter.takesAttribute ? arguments.popFirst() : nil
        guard !filter.takesAttribute || path != nil else {
            throw failure("\(filter.rawValue) takes the name of an attribute")
        }
        var test: Jinja.Test?
        if let name = arguments.popFirst() {
            guard let known = Jinja.Test(rawValue: try string(name).string) else {
                throw failure("the test \"\(try string(name).string)\" is not known here")
            }
            test = known
        }
        let inner = Jinja.Given(positional: Array(arguments), named: given.named)
        let isKept = filter == .select || filter == .selectattr
        return try elements.filter { element in
            let subject = try path.map { try part($0, of: element) } ?? element
            let isMet = try test.map { try satisfies(subject, $0, inner) } ?? subject.isTrue
            return isMet == isKept
        }
    }

    /// A text without regard to case, as sorting compares it by default.
    private func folded(_ value: Value) -> Value {
        if case .text(let text) = value { .text(cased(text, .lower)) } else { value }
    }

    private func extreme(
        _ elements: [Value], _ filter: Jinja.Filter, _ given: Jinja.Given
    ) throws -> Value {
        let arguments = try given.bound(to: ["case_sensitive", "attribute"], of: filter.rawValue)
        func key(_ value: Value) throws -> Value {
            let subject = try arguments[1].map { try part($0, of: value) } ?? value
            return arguments[0]?.isTrue ?? false ? subject : folded(subject)
        }
        guard var best = elements.first else {
            return .undefined("the \(filter.rawValue) of nothing")
        }
        for element in elements.dropFirst() {
            let isBetter =
                filter == .max
                ? try precedes(key(best), key(element)) : try precedes(key(element), key(best))
            if isBetter { best = element }
        }
        return best
    }

    private func sorted(
        _ elements: [Value], _ filter: Jinja.Filter, _ given: Jinja.Given
    ) throws -> [Value] {
        let names =
            filter == .sort
            ? ["reverse", "case_sensitive", "attribute"] : ["case_sensitive", "attribute"]
        let arguments = try given.bound(to: names, of: filter.rawValue)
        let (isSensitive, path) = (
            arguments[names.count - 2]?.isTrue ?? false, arguments[names.count - 1]
        )
        let keyed = try elements.map { element in
            let subject = try path.map { try part($0, of: element) } ?? element
            return (key: isSensitive ? subject : folded(subject), element: element)
        }
        guard filter == .sort else {
            var kept: [(key: Value, element: Value)] = []
            for pair in keyed where !kept.contains(where: { equal($0.key, pair.key) }) {
                kept.append(pair)
                try spend(16 * kept.count)
            }
            return kept.map(\.element)
        }
        let isReversed = arguments[0]?.isTrue ?? false
        // Equal elements keep their order, also in reverse, as with Python.
        return try keyed.enumerated().sorted { a, b in
            if equal(a.element.key, b.element.key) { return a.offset < b.offset }
            return try isReversed
                ? precedes(b.element.key, a.element.key) : precedes(a.element.key, b.element.key)
        }.map(\.element.element)
    }
}

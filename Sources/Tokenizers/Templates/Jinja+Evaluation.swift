import FlywheelCore

extension Jinja.Renderer {
    private typealias Value = Jinja.Value

    func evaluate(_ expression: Jinja.Expression) throws -> Jinja.Value {
        switch expression {
        case .none: return .none
        case .boolean(let value): return .boolean(value)
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .text(let text): return .text(text)
        case .list(let elements): return .list(try elements.map { try evaluate($0) })
        case .tuple(let elements): return .tuple(try elements.map { try evaluate($0) })
        case .mapping(let entries): return .mapping(try mapping(entries))
        case .name(let name): return value(of: name)
        case .attribute(let base, let name): return try attribute(name, of: try evaluate(base))
        case .item(let base, let index):
            return try item(try evaluate(index), of: try evaluate(base))
        case .slice(let base, let start, let stop, let step):
            return try slice(
                try evaluate(base), try start.map { try evaluate($0) },
                try stop.map { try evaluate($0) }, try step.map { try evaluate($0) })
        case .call(let name, let arguments): return try call(name, try given(arguments))
        case .method(let base, let method, let arguments):
            return try call(method, of: try evaluate(base), try given(arguments))
        case .filter(let value, let filter, let arguments):
            return try apply(filter, to: try evaluate(value), try given(arguments))
        case .test(let value, let test, let arguments):
            return .boolean(try satisfies(try evaluate(value), test, try given(arguments)))
        case .not(let value): return .boolean(!(try evaluate(value).isTrue))
        case .and(let a, let b):
            let first = try evaluate(a)
            return first.isTrue ? try evaluate(b) : first
        case .or(let a, let b):
            let first = try evaluate(a)
            return first.isTrue ? first : try evaluate(b)
        case .negative(let value): return try negative(try evaluate(value))
        case .arithmetic(let a, let sign, let b):
            return try arithmetic(try evaluate(a), sign, try evaluate(b))
        case .joined(let parts): return .text(try joined(parts))
        case .comparison(let first, let others):
            return .boolean(try compared(try evaluate(first), others))
        case .conditional(let condition, let then, let otherwise):
            if try evaluate(condition).isTrue { return try evaluate(then) }
            return try otherwise.map { try evaluate($0) } ?? .undefined("the other branch of an if")
        }
    }

    private func given(_ arguments: Jinja.Arguments) throws -> Jinja.Given {
        Jinja.Given(
            positional: try arguments.positional.map { try evaluate($0) },
            named: try arguments.named.map { ($0.name, try evaluate($0.value)) })
    }

    private func mapping(
        _ entries: [(key: Jinja.Expression, value: Jinja.Expression)]
    ) throws -> Jinja.Mapping {
        var mapping = Jinja.Mapping()
        for entry in entries {
            guard case .text(let key) = try evaluate(entry.key) else {
                throw failure("only texts can be keys of a mapping here")
            }
            mapping[key] = try evaluate(entry.value)
        }
        return mapping
    }

    private func joined(_ parts: [Jinja.Expression]) throws -> Jinja.Text {
        var text = Jinja.Text()
        for part in parts { text.append(try string(try evaluate(part))) }
        try spend(text.bytes.count)
        return text
    }

    private func compared(
        _ first: Value, _ others: [(Jinja.Comparison, Jinja.Expression)]
    ) throws -> Bool {
        var left = first
        for (comparison, expression) in others {
            let right = try evaluate(expression)
            guard try compare(left, comparison, right) else { return false }
            left = right
        }
        return true
    }

    // MARK: Parts of values

    private func attribute(_ name: Jinja.Text, of value: Value) throws -> Value {
        switch value {
        case .undefined(let what):
            throw failure("\(what) is undefined, so it has no \(name.string)")
        case .mapping(let mapping):
            if let method = Jinja.Method(rawValue: name.string), method.isOfMappings {
                throw failure("the method \(name.string) must be called: write \(name.string)()")
            }
            return mapping[name] ?? .undefined("\"\(name.string)\"")
        case .namespace(let space): return space.members[name] ?? .undefined("\"\(name.string)\"")
        case .loop(let loop): return loop.member(name.string)
        default: return .undefined("\"\(name.string)\"")
        }
    }

    func item(_ index: Jinja.Value, of value: Jinja.Value) throws -> Jinja.Value {
        switch (value, index) {
        case (.undefined(let what), _): throw failure("\(what) is undefined, so it has no items")
        case (.mapping(let mapping), .text(let key)):
            return mapping[key] ?? .undefined("\"\(key.string)\"")
        case (.namespace(let space), .text(let key)):
            return space.members[key] ?? .undefined("\"\(key.string)\"")
        case (.text(let text), _):
            guard let place = index.integer else { break }
            let boundaries = text.boundaries
            let at = place < 0 ? place + boundaries.count - 1 : place
            guard boundaries.dropLast().indices.contains(at) else { break }
            return .text(text[boundaries[at]..<boundaries[at + 1]])
        default:
            guard let elements = value.elements, let place = index.integer else { break }
            let at = place < 0 ? place + elements.count : place
            guard elements.indices.contains(at) else { break }
            return elements[at]
        }
        return .undefined("an item that is not there")
    }

    private func slice(
        _ value: Value, _ start: Value?, _ stop: Value?, _ step: Value?
    ) throws -> Value {
        func bound(_ value: Value?) throws -> Int? {
            guard let value else { return nil }
            if case .none = value { return nil }
            guard let bound = value.integer else {
                throw failure("\(value.kind) cannot be the bound of a slice")
            }
            return min(max(bound, -1 << 53), 1 << 53)
        }
        let step = try bound(step) ?? 1
        guard step != 0 else { throw failure("a slice's step cannot be 0") }
        let bounds = (try bound(start), try bound(stop))
        if case .text(let text) = value {
            let boundaries = text.boundaries
            let picked = Self.indices(boundaries.count - 1, bounds.0, bounds.1, step)
            if step == 1 {
                guard let first = picked.first, let last = picked.last else {
                    return .text(.init())
                }
                return .text(text[boundaries[first]..<boundaries[last + 1]])
            }
            var result = Jinja.Text()
            for index in picked { result.append(text[boundaries[index]..<boundaries[index + 1]]) }
            return .text(result)
        }
        guard let elements = value.elements else {
            throw failure("\(value.kind) cannot be sliced")
        }
        try spend(16 * elements.count)
        let part = Self.indices(elements.count, bounds.0, bounds.1, step).map { elements[$0] }
        if case .tuple = value { return .tuple(part) }
        return .list(part)
    }

    /// The indices of Python's `[start:stop:step]` of `count` elements.
    private static func indices(_ count: Int, _ start: Int?, _ stop: Int?, _ step: Int) -> [Int] {
        let (low, high) = step > 0 ? (0, count) : (-1, count - 1)
        func clamped(_ bound: Int) -> Int {
            min(max(bound < 0 ? max(bound + count, low) : bound, low), high)
        }
        let first = start.map(clamped) ?? (step > 0 ? low : high)
        let end = stop.map(clamped) ?? (step > 0 ? high : low)
        return Array(Swift.stride(from: first, to: end, by: step))
    }

    /// What a loop runs over.
    func elements(of value: Jinja.Value) throws -> [Jinja.Value] {
        switch value {
        case .list(let elements), .tuple(let elements): return elements
        case .undefined: return []
        case .mapping(let mapping): return mapping.entries.map { .text($0.key) }
        case .text(let text):
            try spend(16 * text.bytes.count)
            return text.characters.map { .text($0) }
        default: throw failure("\(value.kind) has no elements to go through")
        }
    }

    // MARK: Functions

    private func call(
        _ name: Jinja.Name, _ given: Jinja.Given
    ) throws -> Value {
        let value = value(of: name)
        if case .macro(let macro) = value { return try call(macro, given) }
        guard case .function(let function) = value else {
            throw failure("\"\(name.text)\" is \(value.kind), which cannot be called")
        }
        switch function {
        case .namespace, .dict:
            var mapping = Jinja.Mapping()
            for value in given.positional {
                guard case .mapping(let others) = value else {
                    throw failure("\(name.text)() takes a mapping or names, not \(value.kind)")
                }
                for entry in others.entries { mapping[entry.key] = entry.value }
            }
            for (key, value) in given.named { mapping[Jinja.Text(key)] = value }
            guard function == .namespace else { return .mapping(mapping) }
            let space = Jinja.Namespace()
            space.members = mapping
            return .namespace(space)
        case .range: return .list(try range(given))
        case .raise:
            let message = try given.bound(to: ["message"], of: name.text)[0] ?? .none
            throw failure("the template refuses the conversation: \(try string(message).string)")
        case .now:
            let format = try given.bound(to: ["format"], of: name.text)[0] ?? .none
            guard case .text(let text) = format else {
                throw failure("strftime_now takes a text, not \(format.kind)")
            }
            return .text(.init(try clock.formatted(text.string)))
        }
    }

    private func range(_ given: Jinja.Given) throws -> [Value] {
        let bounds = try given.positional.map {
            guard let bound = $0.integer, (-1 << 53...1 << 53).contains(bound) else {
                throw failure("range() takes whole numbers, and not such large ones")
            }
            return bound
        }
        guard (1...3).contains(bounds.count), given.named.isEmpty else {
            throw failure("range() takes one to three numbers")
        }
        let (start, stop) = bounds.count == 1 ? (0, bounds[0]) : (bounds[0], bounds[1])
        let step = bounds.count == 3 ? bounds[2] : 1
        guard step != 0 else { throw failure("the step of range() cannot be 0") }
        var values: [Value] = []
        for value in Swift.stride(from: start, to: stop, by: step) {
            guard values.count < Jinja.Limits.rangeMax else {
                throw failure("range() gives more than \(Jinja.Limits.rangeMax) numbers")
            }
            values.append(.integer(value))
        }
        try spend(16 * values.count)
        return values
    }
}

extension Jinja {
    /// The arguments of a call, evaluated.
    struct Given {
        var positional: [Value] = []
        var named: [(name: String, value: Value)] = []

        /// The value for each of `names`; throws for arguments that have none of them.
        func bound(to names: [String], of what: String) throws -> [Value?] {
            guard positional.count <= names.count else {
                throw InputError("\(what) takes \(names.count) arguments, not \(positional.count)")
            }
            var values = positional.map { Optional($0) }
            values += Array(repeating: nil, count: names.count - positional.count)
            for (name, value) in named {
                guard let index = names.firstIndex(of: name), case nil = values[index] else {
                    throw InputError("\(what) takes no argument \"\(name)\", or has it twice")
                }
                values[index] = value
            }
            return values
        }
    }
}

extension Jinja.Loop {
    static let members = [
        "index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem",
        "nextitem", "depth", "depth0",
    ]

    func member(_ name: String) -> Jinja.Value {
        switch name {
        case "index": .integer(index + 1)
        case "index0": .integer(index)
        case "revindex": .integer(items.count - index)
        case "revindex0": .integer(items.count - index - 1)
        case "first": .boolean(index == 0)
        case "last": .boolean(index == items.count - 1)
        case "length": .integer(items.count)
        case "previtem": index > 0 ? items[index - 1] : .undefined("there is no previous item")
        case "nextitem":
            index + 1 < items.count ? items[index + 1] : .undefined("there is no next item")
        // Of recursive loops, which are not known here.
        case "depth": .integer(1)
        case "depth0": .integer(0)
        default: .undefined("\"\(name)\"")
        }
    }
}

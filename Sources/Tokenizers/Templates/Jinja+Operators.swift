import Foundation

extension Jinja.Renderer {
    private typealias Value = Jinja.Value

    func negative(_ value: Jinja.Value) throws -> Jinja.Value {
        if case .number(let number) = value { return .number(-number) }
        guard let integer = value.integer, integer != .min else {
            throw failure("\(value.kind) has no negative")
        }
        return .integer(-integer)
    }

    func arithmetic(
        _ a: Jinja.Value, _ sign: Jinja.Operator, _ b: Jinja.Value
    ) throws -> Jinja.Value {
        switch (a, sign, b) {
        case (.text(var text), .add, .text(let other)):
            try spend(text.bytes.count + other.bytes.count)
            text.append(other)
            return .text(text)
        case (.list(let elements), .add, .list(let others)):
            try spend(16 * (elements.count + others.count))
            return .list(elements + others)
        case (.tuple(let elements), .add, .tuple(let others)):
            try spend(16 * (elements.count + others.count))
            return .tuple(elements + others)
        case (.text(let text), .multiply, .integer(let times)),
            (.integer(let times), .multiply, .text(let text)):
            return .text(try repeated(text, times))
        default: break
        }
        if let first = a.integer, let second = b.integer {
            return try integers(first, sign, second)
        }
        guard let first = a.number, let second = b.number else {
            throw failure("\"\(sign.rawValue)\" has no meaning between \(a.kind) and \(b.kind)")
        }
        return .number(try numbers(first, sign, second))
    }

    private func repeated(_ text: Jinja.Text, _ times: Int) throws -> Jinja.Text {
        let (bytes, overflow) = text.bytes.count.multipliedReportingOverflow(by: max(times, 0))
        try spend(overflow ? Jinja.Limits.bytesMax + 1 : bytes)
        var result = Jinja.Text()
        if bytes > 0 { for _ in 0..<times { result.append(text) } }
        return result
    }

    private func integers(_ a: Int, _ sign: Jinja.Operator, _ b: Int) throws -> Value {
        var result: (partialValue: Int, overflow: Bool)
        switch sign {
        case .add: result = a.addingReportingOverflow(b)
        case .subtract: result = a.subtractingReportingOverflow(b)
        case .multiply: result = a.multipliedReportingOverflow(by: b)
        case .divide:
            guard b != 0 else { throw failure("a division by 0") }
            return .number(Double(a) / Double(b))
        case .floorDivide, .modulo:
            guard b != 0 else { throw failure("a division by 0") }
            guard b != -1 else { return try sign == .modulo ? .integer(0) : negative(.integer(a)) }
            // Python rounds down, and its remainder has the sign of the divisor.
            let isBelow = a % b != 0 && (a < 0) != (b < 0)
            return .integer(
                sign == .modulo ? a % b + (isBelow ? b : 0) : a / b - (isBelow ? 1 : 0))
        case .power:
            guard b >= 0 else { return .number(pow(Double(a), Double(b))) }
            result = (1, false)
            for _ in 0..<min(b, a.magnitude > 1 ? 64 : b & 1 + 2) where !result.overflow {
                result = result.partialValue.multipliedReportingOverflow(by: a)
            }
        }
        guard !result.overflow else {
            throw failure("a whole number beyond what can be computed with")
        }
        return .integer(result.partialValue)
    }

    private func numbers(_ a: Double, _ sign: Jinja.Operator, _ b: Double) throws -> Double {
        switch sign {
        case .add: return a + b
        case .subtract: return a - b
        case .multiply: return a * b
        case .power: return pow(a, b)
        case .divide, .floorDivide, .modulo:
            guard b != 0 else { throw failure("a division by 0") }
            if sign == .divide { return a / b }
            return sign == .floorDivide ? (a / b).rounded(.down) : a - b * (a / b).rounded(.down)
        }
    }

    // MARK: Comparisons

    func compare(
        _ a: Jinja.Value, _ comparison: Jinja.Comparison, _ b: Jinja.Value
    ) throws -> Bool {
        switch comparison {
        case .equal: return equal(a, b)
        case .notEqual: return !equal(a, b)
        case .within: return try contains(b, a)
        case .notWithin: return try !contains(b, a)
        case .less: return try precedes(a, b)
        case .greater: return try precedes(b, a)
        case .lessOrEqual: return try !precedes(b, a)
        case .greaterOrEqual: return try !precedes(a, b)
        }
    }

    func equal(_ a: Jinja.Value, _ b: Jinja.Value) -> Bool {
        switch (a, b) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.text(let first), .text(let second)): return first == second
        case (.list(let first), .list(let second)), (.tuple(let first), .tuple(let second)):
            return first.count == second.count && zip(first, second).allSatisfy { equal($0, $1) }
        case (.mapping(let first), .mapping(let second)):
            return first.entries.count == second.entries.count
                && first.entries.allSatisfy { entry in
                    second[entry.key].map { equal(entry.value, $0) } ?? false
                }
        case (.namespace(let first), .namespace(let second)): return first === second
        default:
            if let first = a.integer, let second = b.integer { return first == second }
            guard let first = a.number, let second = b.number else { return false }
            return first == second
        }
    }

    func precedes(_ a: Jinja.Value, _ b: Jinja.Value) throws -> Bool {
        switch (a, b) {
        case (.text(let first), .text(let second)):
            return first.bytes.lexicographicallyPrecedes(second.bytes)
        case (.list(let first), .list(let second)), (.tuple(let first), .tuple(let second)):
            for (x, y) in zip(first, second) where !equal(x, y) { return try precedes(x, y) }
            return first.count < second.count
        default:
            guard let first = a.number, let second = b.number else {
                throw failure("\(a.kind) and \(b.kind) have no order")
            }
            return first < second
        }
    }

    func contains(_ container: Jinja.Value, _ value: Jinja.Value) throws -> Bool {
        switch container {
        case .undefined: return false
        case .text(let text):
            guard case .text(let part) = value else {
                throw failure("\(value.kind) cannot be in a text")
            }
            return text.contains(part)
        case .mapping(let mapping):
            guard case .text(let key) = value else { return false }
            return mapping[key] != nil
        default:
            guard let elements = container.elements else {
                throw failure("nothing can be in \(container.kind)")
            }
            return elements.contains { equal($0, value) }
        }
    }
}

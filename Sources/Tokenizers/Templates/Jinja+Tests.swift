import FlywheelCore

extension Jinja {
    /// What `is` asks.
    enum Test: String, Sendable, CaseIterable {
        case boolean, callable, defined, divisibleby, eq, equalto, even, `false`, float, ge, gt
        case greaterthan, `in`, integer, iterable, le, lessthan, lower, lt, mapping, ne, none
        case number, odd, sameas, sequence, string, `true`, undefined, upper
        case equalSign = "=="
        case unequalSign = "!="
        case lessSign = "<"
        case lessOrEqualSign = "<="
        case greaterSign = ">"
        case greaterOrEqualSign = ">="

        static let names = allCases.map(\.rawValue)

        /// The comparison that the test is another name of.
        var comparison: Comparison? {
            switch self {
            case .eq, .equalto, .equalSign: .equal
            case .ne, .unequalSign: .notEqual
            case .lt, .lessthan, .lessSign: .less
            case .le, .lessOrEqualSign: .lessOrEqual
            case .gt, .greaterthan, .greaterSign: .greater
            case .ge, .greaterOrEqualSign: .greaterOrEqual
            case .in: .within
            default: nil
            }
        }
    }
}

extension Jinja.Renderer {
    func satisfies(
        _ value: Jinja.Value, _ test: Jinja.Test, _ given: Jinja.Given
    ) throws -> Bool {
        if test.comparison != nil || test == .sameas || test == .divisibleby {
            guard let other = try given.bound(to: ["other"], of: test.rawValue)[0] else {
                throw failure("the test \"\(test.rawValue)\" lacks what to compare with")
            }
            if let comparison = test.comparison { return try compare(value, comparison, other) }
            if test == .sameas { return isSame(value, other) }
            return equal(try arithmetic(value, .modulo, other), .integer(0))
        }
        _ = try given.bound(to: [], of: "the test \(test.rawValue)")
        return try satisfies(value, test)
    }

    private func satisfies(_ value: Jinja.Value, _ test: Jinja.Test) throws -> Bool {
        switch (test, value) {
        case (.defined, _): return !value.isUndefined
        case (.undefined, _): return value.isUndefined
        case (.none, .none), (.boolean, .boolean), (.integer, .integer), (.float, .number),
            (.number, .integer), (.number, .number), (.number, .boolean), (.string, .text),
            (.mapping, .mapping), (.callable, .macro), (.callable, .function):
            return true
        case (.true, .boolean(let flag)): return flag
        case (.false, .boolean(let flag)): return !flag
        case (.iterable, .text), (.iterable, .list), (.iterable, .tuple), (.iterable, .mapping),
            (.iterable, .undefined), (.iterable, .loop):
            return true
        case (.sequence, .text), (.sequence, .list), (.sequence, .tuple), (.sequence, .mapping):
            return true
        case (.even, _), (.odd, _):
            guard let number = value.integer else {
                throw failure("\(value.kind) is neither odd nor even")
            }
            return (number % 2 == 0) == (test == .even)
        case (.lower, _): return isCased(try string(value), upper: false)
        case (.upper, _): return isCased(try string(value), upper: true)
        default: return false
        }
    }

    /// Python's `is`, as far as constants go.
    private func isSame(_ a: Jinja.Value, _ b: Jinja.Value) -> Bool {
        switch (a, b) {
        case (.none, .none): true
        case (.boolean(let first), .boolean(let second)): first == second
        case (.integer(let first), .integer(let second)): first == second
        case (.text, .text): equal(a, b)
        case (.namespace(let first), .namespace(let second)): first === second
        default: false
        }
    }
}

import FlywheelCore
import Foundation

extension Jinja {
    /// What `|` does to a value.
    enum Filter: String, Sendable, CaseIterable {
        case abs, capitalize, count, d, `default`, dictsort, first, float, indent, int, items, join
        case last, length, list, lower, map, max, min, reject, rejectattr, replace, reverse, round
        case safe, select, selectattr, sort, string, sum, title, tojson, trim, unique, upper

        static let names = allCases.map(\.rawValue)

        /// Whether it keeps the elements that satisfy a test, or those that do not.
        var isSelection: Bool { [.select, .reject, .selectattr, .rejectattr].contains(self) }
        /// Whether its first argument names a part of each element.
        var takesAttribute: Bool { self == .selectattr || self == .rejectattr }
    }
}

extension Jinja.Renderer {
    private typealias Value = Jinja.Value

    func apply(
        _ filter: Jinja.Filter, to value: Jinja.Value, _ given: Jinja.Given
    ) throws -> Jinja.Value {
        switch filter {
        case .capitalize: return .text(cased(try string(value), .capitalize))
        case .lower: return .text(cased(try string(value), .lower))
        case .upper: return .text(cased(try string(value), .upper))
        case .title: return .text(cased(try string(value), .title))
        case .string, .safe: return .text(try string(value))
        case .trim:
            return .text(
                try stripped(try string(value), given.bound(to: ["chars"], of: "trim")[0]))
        case .replace:
            let arguments = try given.bound(to: ["old", "new", "count"], of: "replace")
            return .text(
                try replaced(
                    try string(value), try string(arguments[0] ?? .none),
                    try string(arguments[1] ?? .none), arguments[2]?.integer ?? -1))
        case .indent: return .text(try indented(try string(value), given))
        case .tojson: return .text(try json(value, try style(given)))
        case .d, .default:
            let arguments = try given.bound(to: ["default_value", "boolean"], of: "default")
            let replaces = value.isUndefined || (arguments[1]?.isTrue ?? false) && !value.isTrue
            return replaces ? arguments[0] ?? .text(.init()) : value
        case .abs, .int, .float, .round: return try numeric(filter, value, given)
        case .reverse:
            guard case .text(let text) = value else {
                return .list(try elements(of: value).reversed())
            }
            var reversed = Jinja.Text()
            for character in text.characters.reversed() { reversed.append(character) }
            return .text(reversed)
        case .count, .length: return .integer(try length(of: value))
        case .items:
            if value.isUndefined { return .list([]) }
            return try call(.items, of: value, given)
        default: return try collection(filter, value, given)
        }
    }

    private func length(of value: Value) throws -> Int {
        switch value {
        case .undefined: return 0
        case .text(let text): return text.count
        case .mapping(let mapping): return mapping.entries.count
        case .loop(let loop): return loop.items.count
        default:
            guard let elements = value.elements else {
                throw failure("\(value.kind) has no length")
            }
            return elements.count
        }
    }

    // MARK: Texts

    private func style(_ given: Jinja.Given) throws -> Jinja.JSONStyle {
        let arguments = try given.bound(
            to: ["ensure_ascii", "indent", "separators", "sort_keys"], of: "tojson")
        var style = Jinja.JSONStyle()
        style.isASCII = arguments[0]?.isTrue ?? false
        style.sortsKeys = arguments[3]?.isTrue ?? false
        switch arguments[1] {
        case nil, .some(.none): break
        case .text(let indent): style.indent = indent
        case let width?:
            guard let width = width.integer, width <= Jinja.Limits.depthMax else {
                throw failure("tojson cannot indent by \(width.kind)")
            }
            style.indent = Jinja.Text(String(repeating: " ", count: max(width, 0)))
        }
        if style.indent != nil { style.itemSeparator = Jinja.Text(",") }
        if let separators = arguments[2], !separators.isNone {
            guard let pair = separators.elements, pair.count == 2 else {
                throw failure("separators of tojson are two texts")
            }
            style.itemSeparator = try string(pair[0])
            style.keySeparator = try string(pair[1])
        }
        return style
    }

    private func indented(_ text: Jinja.Text, _ given: Jinja.Given) throws -> Jinja.Text {
        let arguments = try given.bound(to: ["width", "first", "blank"], of: "indent")
        var indent = Jinja.Text(String(repeating: " ", count: 4))
        if case .text(let given) = arguments[0] {
            indent = given
        } else if let width = arguments[0]?.integer {
            try spend(max(width, 0))
            indent = Jinja.Text(String(repeating: " ", count: max(width, 0)))
        }
        var result = Jinja.Text()
        if arguments[1]?.isTrue ?? false { result.append(indent) }
        for (index, line) in lines(of: text).enumerated() {
            if index > 0 {
                result.append("\n")
                if !line.isEmpty || arguments[2]?.isTrue ?? false { result.append(indent) }
            }
            result.append(line)
            try spend(indent.bytes.count + line.bytes.count)
        }
        if text.bytes.last == 0x0A {
            result.append("\n")
            if arguments[2]?.isTrue ?? false { result.append(indent) }
        }
        return result
    }

    // MARK: Numbers

    private func numeric(
        _ filter: Jinja.Filter, _ value: Value, _ given: Jinja.Given
    ) throws -> Value {
        switch filter {
        case .abs:
            guard let number = value.number else { throw failure("abs of \(value.kind)") }
            if case .number = value { return .number(Swift.abs(number)) }
            return number < 0 ? try negative(value) : value
        case .int, .float:
            let otherwise = try given.bound(to: ["default"], of: filter.rawValue)[0]
            var number = value.number
            if case .text(let text) = value {
                let written = text.stripped { $0.isBlank }.string
                if filter == .int, let whole = Int(written) { return .integer(whole) }
                number = Double(written)
            }
            if filter == .float { return number.map { .number($0) } ?? otherwise ?? .number(0) }
            if let whole = value.integer { return .integer(whole) }
            return number.flatMap { Int(exactly: $0.rounded(.towardZero)) }.map { .integer($0) }
                ?? otherwise ?? .integer(0)
        default:
            let arguments = try given.bound(to: ["precision", "method"], of: "round")
            guard let number = value.number else { throw failure("round of \(value.kind)") }
            let scale = pow(10, Double(arguments[0]?.integer ?? 0))
            let rule: FloatingPointRoundingRule =
                switch try string(arguments[1] ?? .none).string {
                case "ceil": .up
                case "floor": .down
                default: .toNearestOrEven
                }
            return .number((number * scale).rounded(rule) / scale)
        }
    }
}

extension Jinja.Value {
    var isNone: Bool { if case .none = self { true } else { false } }
}

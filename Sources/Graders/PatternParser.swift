import FlywheelCore

/// Reads a regular expression in the syntax that Perl, Python and ICU share.
struct PatternParser {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0
    private(set) var groups = 0
    private var ignoresCase = false
    private var linesAnchor = false
    private var dotIsAll = false

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    mutating func parse() throws(InputError) -> PatternNode {
        try flags()
        let node = try alternatives()
        guard position == scalars.count else { throw error("a `)` closes nothing") }
        return node
    }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take(_ text: String) -> Bool {
        guard scalars[position...].starts(with: text.unicodeScalars) else { return false }
        position += text.unicodeScalars.count
        return true
    }

    private func error(_ problem: String, _ remedy: String = "") -> InputError {
        InputError("\(problem) at character \(position + 1) of the pattern", remedy: remedy)
    }

    /// `(?ims)` at the beginning.
    private mutating func flags() throws(InputError) {
        let start = position
        guard take("(?"), let first = next, "ims".unicodeScalars.contains(first) else {
            position = start
            return
        }
        while let flag = next, flag != ")" {
            switch flag {
            case "i": ignoresCase = true
            case "m": linesAnchor = true
            case "s": dotIsAll = true
            default: throw error("`\(flag)` is not a flag", "Flags are i, m and s.")
            }
            position += 1
        }
        guard take(")") else { throw error("a `(` is not closed") }
    }

    private mutating func alternatives() throws(InputError) -> PatternNode {
        depth += 1
        guard depth <= 100 else { throw error("nested deeper than 100") }
        defer { depth -= 1 }
        var all = [try sequence()]
        while take("|") { all.append(try sequence()) }
        return all.count == 1 ? all[0] : .alternatives(all)
    }

    private mutating func sequence() throws(InputError) -> PatternNode {
        var nodes: [PatternNode] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            nodes.append(try quantified(try atom()))
        }
        return .sequence(nodes)
    }

    private mutating func quantified(_ node: PatternNode) throws(InputError) -> PatternNode {
        var bounds: (min: Int, max: Int?)
        if take("*") {
            bounds = (0, nil)
        } else if take("+") {
            bounds = (1, nil)
        } else if take("?") {
            bounds = (0, 1)
        } else if let counted = try counts() {
            bounds = counted
        } else {
            return node
        }
        let isGreedy = !take("?")
        if next == "+" || next == "*" { throw error("`\(scalars[position])` repeats a repetition") }
        return .repetition(node, min: bounds.min, max: bounds.max, isGreedy: isGreedy)
    }

    /// `{2}`, `{2,}` or `{2,5}`; braces that are none of these stand for themselves.
    private mutating func counts() throws(InputError) -> (min: Int, max: Int?)? {
        let start = position
        guard take("{"), let least = number() else {
            position = start
            return nil
        }
        var most: Int? = least
        if take(",") { most = number() }
        guard take("}") else {
            position = start
            return nil
        }
        if let most, most < least { throw error("{\(least),\(most)} is the wrong way round") }
        return (least, most)
    }

    private mutating func number() -> Int? {
        var digits = ""
        while let scalar = next, ("0"..."9").contains(scalar), digits.count < 6 {
            digits.unicodeScalars.append(scalar)
            position += 1
        }
        return Int(digits)
    }

    private mutating func atom() throws(InputError) -> PatternNode {
        guard let scalar = next else { throw error("the pattern ends") }
        position += 1
        switch scalar {
        case "(": return try group()
        case "[": return .scalars(try scalarClass())
        case ".":
            return .scalars(
                dotIsAll
                    ? ScalarSet(members: [], isInverted: true)
                    : ScalarSet(members: ScalarSet.newline.members, isInverted: true))
        case "^": return .assertion(linesAnchor ? .lineStart : .textStart)
        case "$": return .assertion(linesAnchor ? .lineEnd : .textEnd)
        case "*", "+", "?":
            position -= 1
            throw error("`\(scalar)` repeats nothing")
        case "\\": return try escape()
        default: return .scalars(set([.range(scalar.value...scalar.value)]))
        }
    }

    private func set(_ members: [ScalarSet.Member], isInverted: Bool = false) -> ScalarSet {
        ScalarSet(members: members, isInverted: isInverted, ignoresCase: ignoresCase)
    }

    private mutating func group() throws(InputError) -> PatternNode {
        var number: Int?
        if take("?:") {
            number = nil
        } else if take("?=") || take("?!") || take("?<=") || take("?<!") || take("?>") {
            throw error(
                "looking around and atomic groups are not available",
                "Match what is around too, and name a `group`.")
        } else if take("?P<") || take("?<") {
            while let scalar = next, scalar != ">" {
                guard ScalarSet.word.contains(scalar) else { throw error("not a group's name") }
                position += 1
            }
            guard take(">") else { throw error("a group's name is not closed") }
            groups += 1
            number = groups
        } else if take("?") {
            throw error("an unknown kind of group", "Flags, as (?i), stand at the beginning.")
        } else {
            groups += 1
            number = groups
        }
        let inside = try alternatives()
        guard take(")") else { throw error("a `(` is not closed") }
        return number.map { .group(inside, number: $0) } ?? inside
    }

    private mutating func escape() throws(InputError) -> PatternNode {
        guard let scalar = next else { throw error("a `\\` escapes nothing") }
        switch scalar {
        case "b", "B", "A", "z", "Z":
            position += 1
            return .assertion(
                scalar == "b"
                    ? .boundary
                    : scalar == "B" ? .noBoundary : scalar == "A" ? .textStart : .textEnd)
        case "1"..."9":
            throw error("references back to a group are not available")
        default: return .scalars(set([try escapedMember()]))
        }
    }

    /// What follows a `\`, as a member of a set.
    private mutating func escapedMember() throws(InputError) -> ScalarSet.Member {
        guard let scalar = next else { throw error("a `\\` escapes nothing") }
        position += 1
        switch scalar {
        case "d": return .digit
        case "D": return .not(.digit)
        case "w": return .word
        case "W": return .not(.word)
        case "s": return .space
        case "S": return .not(.space)
        case "n": return .range(10...10)
        case "r": return .range(13...13)
        case "t": return .range(9...9)
        case "f": return .range(12...12)
        case "v": return .range(11...11)
        case "x": return try code(digits: 2)
        case "u": return try code(digits: 4)
        default:
            guard !ScalarSet.word.contains(scalar) else {
                position -= 1
                throw error("`\\\(scalar)` is not known here")
            }
            return .range(scalar.value...scalar.value)
        }
    }

    private mutating func code(digits: Int) throws(InputError) -> ScalarSet.Member {
        let isBraced = take("{")
        var text = ""
        while let scalar = next, scalar.properties.isASCIIHexDigit,
            text.count < (isBraced ? 6 : digits)
        {
            text.unicodeScalars.append(scalar)
            position += 1
        }
        guard let value = UInt32(text, radix: 16), Unicode.Scalar(value) != nil,
            isBraced ? take("}") : text.count == digits
        else { throw error("not the code of a character") }
        return .range(value...value)
    }

    /// What follows a `[`, up to its `]`.
    private mutating func scalarClass() throws(InputError) -> ScalarSet {
        let isInverted = take("^")
        var members: [ScalarSet.Member] = []
        // A `]` that comes first stands for itself.
        repeat {
            let low = try classMember()
            guard case .range(let first) = low, next == "-", position + 1 < scalars.count,
                scalars[position + 1] != "]"
            else {
                members.append(low)
                continue
            }
            position += 1
            guard case .range(let last) = try classMember(), first.lowerBound <= last.lowerBound
            else { throw error("not a range of characters") }
            members.append(.range(first.lowerBound...last.lowerBound))
        } while next != "]"
        position += 1
        return set(members, isInverted: isInverted)
    }

    private mutating func classMember() throws(InputError) -> ScalarSet.Member {
        guard let scalar = next else { throw error("a `[` is not closed") }
        position += 1
        return scalar == "\\" ? try escapedMember() : .range(scalar.value...scalar.value)
    }
}

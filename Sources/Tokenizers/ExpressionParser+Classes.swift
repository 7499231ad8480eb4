import FlywheelCore

extension ExpressionParser {
    /// The rest of a class whose `[` was read.
    mutating func characterClass() throws(InputError) -> CharacterSet.Item {
        let isNegated = take("^")
        var (parts, items): ([CharacterSet.Item], [CharacterSet.Item]) = ([], [])
        var isFirst = true
        while isFirst || next != "]" {
            guard next != nil else { throw refusal("an open [") }
            if take("&&") {
                parts.append(.any(items))
                items = []
            } else if take("[:") {
                items.append(try posixClass())
            } else if take("[") {
                items.append(try characterClass())
            } else {
                items.append(try range())
            }
            isFirst = false
        }
        index += 1
        let all: CharacterSet.Item = parts.isEmpty ? .any(items) : .all(parts + [.any(items)])
        return isNegated ? .not(all) : all
    }

    private mutating func posixClass() throws(InputError) -> CharacterSet.Item {
        for (written, item) in [
            ("digit:]", #"\d"#), ("space:]", #"\s"#), ("word:]", #"\w"#), ("upper:]", #"\p{Lu}"#),
        ] where take(written) {
            var parser = self
            parser = ExpressionParser(item)
            return try parser.character()
        }
        throw refusal("a bracket class of another name")
    }

    /// One character of a class, or a range, or an escape that stands for several.
    private mutating func range() throws(InputError) -> CharacterSet.Item {
        let item = try character()
        guard case .range(let first) = item, next == "-", index + 1 < text.count,
            text[index + 1] != "]"
        else { return item }
        index += 1
        guard case .range(let last) = try character(), last.lowerBound >= first.lowerBound else {
            throw refusal("a range that does not rise")
        }
        return .range(first.lowerBound...last.upperBound)
    }

    /// A character, plain or escaped, or what an escape stands for.
    mutating func character() throws(InputError) -> CharacterSet.Item {
        guard let scalar = next else { throw refusal("an end too early") }
        index += 1
        guard scalar == "\\" else { return .character(scalar.value) }
        guard let escaped = next else { throw refusal("an open escape") }
        index += 1
        switch escaped {
        case "s": return .blank
        case "S": return .not(.blank)
        case "d": return .categories(try category("Nd"))
        case "D": return .not(.categories(try category("Nd")))
        case "w": return .word
        case "W": return .not(.word)
        case "h": return .any([.range(0x30...0x39), .range(0x41...0x46), .range(0x61...0x66)])
        case "p": return try property()
        case "P": return .not(try property())
        case "n": return .character(0x0A)
        case "r": return .character(0x0D)
        case "t": return .character(0x09)
        case "f": return .character(0x0C)
        case "v": return .character(0x0B)
        case "a": return .character(0x07)
        case "e": return .character(0x1B)
        case "0": return .character(0)
        case "u": return .character(try hexadecimal(4...4))
        case "x":
            guard take("{") else { return .character(try hexadecimal(1...2)) }
            let code = try hexadecimal(1...6)
            guard take("}") else { throw refusal("an open \\x{") }
            return .character(code)
        default:
            guard escaped.isASCII, !escaped.properties.isAlphabetic, !("1"..."9" ~= escaped) else {
                throw refusal("the escape \\\(escaped)")
            }
            return .character(escaped.value)
        }
    }

    private mutating func hexadecimal(_ lengths: ClosedRange<Int>) throws(InputError) -> UInt32 {
        let digits = text[index...].prefix(lengths.upperBound).prefix {
            $0.properties.isASCIIHexDigit
        }
        guard digits.count >= lengths.lowerBound,
            let code = UInt32(String(String.UnicodeScalarView(digits)), radix: 16),
            Unicode.Scalar(code) != nil
        else { throw refusal("an escape that is no character") }
        index += digits.count
        return code
    }

    private mutating func property() throws(InputError) -> CharacterSet.Item {
        guard take("{"), let close = text[index...].firstIndex(of: "}") else {
            throw refusal("a \\p without braces")
        }
        let isNegated = take("^")
        let item = CharacterSet.Item.categories(
            try category(String(String.UnicodeScalarView(text[index..<close]))))
        index = close + 1
        return isNegated ? .not(item) : item
    }

    private func category(_ name: String) throws(InputError) -> Categories {
        guard let category = Categories.named(name) else { throw refusal("the class \\p{\(name)}") }
        return category
    }
}

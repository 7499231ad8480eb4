import Foundation

/// What is done to a text before it is cut, step after step, as `normalizer` of a `tokenizer.json`
/// says.
struct Normalizer: Sendable {
    enum Form: String, Sendable { case NFC, NFD, NFKC, NFKD }

    enum Step: Sendable {
        case prepend([UInt8])
        case replace(Pattern, by: [UInt8])
        case form(Form)
        case lowercase
        case strip(left: Bool, right: Bool)
        case stripAccents
    }

    var steps: [Step]

    /// `text` normalized; nothing is put before it where it `continues` another.
    func normalize(_ text: AlignedText, continues: Bool) -> AlignedText {
        steps.reduce(text) { text, step in
            switch step {
            case .prepend(let written): continues ? text : text.prepending(written)
            case .replace(let pattern, let written): Self.replace(pattern, by: written, in: text)
            case .form(let form): Self.compose(text, form)
            case .lowercase:
                text.mapping {
                    $0.isASCII && !("A"..."Z" ~= $0) ? nil : $0.properties.lowercaseMapping
                }
            case .strip(let left, let right): Self.strip(text, left: left, right: right)
            case .stripAccents: text.mapping { Self.accents.holds($0.value) ? "" : nil }
            }
        }
    }

    /// Marks of Unicode 9; three characters have become marks, or letters, since.
    private static let accents = CharacterSet(
        .any([
            .all([.categories(.mark), .known(version: 9), .not(.character(0x111C9))]),
            .range(0x1CF2...0x1CF3),
        ]))

    private static func replace(
        _ pattern: Pattern, by written: [UInt8], in text: AlignedText
    ) -> AlignedText {
        if case .literal(let sought) = pattern, sought.count == 1 {
            return text.replacing(sought[0], by: written)
        }
        let scanner = Scanner(text.bytes)
        var result = AlignedText(capacity: text.bytes.count)
        pattern.forEachSection(of: text.bytes.indices, scanner) { range, isMatch in
            if isMatch {
                result.append(written, for: text.origin(of: range))
            } else {
                result.append(text, range)
            }
        }
        return result
    }

    private static func strip(_ text: AlignedText, left: Bool, right: Bool) -> AlignedText {
        let scalars = Array(String(decoding: text.bytes, as: UTF8.self).unicodeScalars)
        let isBlank = { (scalar: Unicode.Scalar) in scalar.properties.isWhitespace }
        func width(_ blanks: some Sequence<Unicode.Scalar>) -> Int {
            blanks.reduce(0) { $0 + UTF8.width($1) }
        }
        let start = left ? width(scalars.prefix(while: isBlank)) : 0
        let end =
            right
            ? text.bytes.count - width(scalars.reversed().prefix(while: isBlank)) : text.bytes.count
        return start == 0 && end == text.bytes.count ? text : text.slice(start..<max(start, end))
    }
}

extension Normalizer {
    /// A normal form of Unicode (UAX #15), character by character as people see them: no form joins
    /// what belongs to two of these, so each stands for its own part of the original.
    private static func compose(_ text: AlignedText, _ form: Form) -> AlignedText {
        // Below U+0300 composed text stays as it is, but for compatibility forms such as U+00BD.
        let first: UInt8 = form == .NFC ? 0xCC : 0x80
        guard text.bytes.contains(where: { $0 >= first }) else { return text }
        let string = String(decoding: text.bytes, as: UTF8.self)
        let whole = Array(normalized(string, form).utf8)
        guard whole != text.bytes else { return text }
        var result = AlignedText(capacity: whole.count)
        var start = 0
        let sections = string.unicodeScalars.split(omittingEmptySubsequences: false) {
            !isKnown($0)
        }
        for (index, section) in sections.enumerated() {
            if index > 0 {
                let code = Scanner(text.bytes).code(at: start)
                result.append(text, start..<code.end)
                start = code.end
            }
            let end = start + section.utf8Count
            append(text, start..<end, form, to: &result)
            start = end
        }
        return result
    }

    /// Whether the reference implementation knows the normal forms of `scalar`: its tables, of the
    /// crate `unicode-normalization-alignments`, are those of Unicode 9.
    private static func isKnown(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII || CharacterSet.Item.known(version: 9).holds(scalar.value)
    }

    /// Appends the normal form of `text` in `range`.
    private static func append(
        _ text: AlignedText, _ range: Range<Int>, _ form: Form, to result: inout AlignedText
    ) {
        let string = String(decoding: text.bytes[range], as: UTF8.self)
        let whole = normalized(string, form)
        var parts = AlignedText(capacity: range.count)
        var index = range.lowerBound
        for character in string {
            let range = index..<index + character.utf8.count
            index = range.upperBound
            let isPlain = character.utf8.allSatisfy { $0 < 0x80 }
            let written = isPlain ? "" : normalized(String(character), form)
            if isPlain || written.utf8.elementsEqual(text.bytes[range]) {
                parts.append(text, range)
            } else {
                parts.append(written.utf8, for: text.origin(of: range))
            }
        }
        if parts.bytes.elementsEqual(whole.utf8) {
            result.append(parts, parts.bytes.indices)
        } else {
            result.append(whole.utf8, for: text.origin(of: range))
        }
    }

    /// The normal form of `text`.
    ///
    /// Foundation takes characters apart without putting all of their marks in order (U+02DC U+0F75),
    /// and for NFKC does not join what it has taken apart (U+FF76 U+FF9E); asked again, it does.
    private static func normalized(_ text: String, _ form: Form) -> String {
        let first = once(text, form)
        guard !first.utf8.elementsEqual(text.utf8) else { return text }
        switch form {
        case .NFC: return once(once(once(text, .NFD), .NFD), .NFC)
        case .NFD: return once(first, .NFD)
        case .NFKC: return once(once(once(text, .NFKD), .NFKD), .NFC)
        case .NFKD: return once(first, .NFKD)
        }
    }

    private static func once(_ text: String, _ form: Form) -> String {
        switch form {
        case .NFC: text.precomposedStringWithCanonicalMapping
        case .NFD: text.decomposedStringWithCanonicalMapping
        case .NFKC: text.precomposedStringWithCompatibilityMapping
        case .NFKD: text.decomposedStringWithCompatibilityMapping
        }
    }
}

extension Substring.UnicodeScalarView {
    fileprivate var utf8Count: Int { reduce(0) { $0 + UTF8.width($1) } }
}

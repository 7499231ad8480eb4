import FlywheelCore

extension Jinja {
    struct Token: Sendable {
        enum Kind: Sendable, Equatable {
            /// Text between tags.
            case data(Text)
            case blockBegin, blockEnd, variableBegin, variableEnd
            case name(String)
            case string(String)
            case integer(Int)
            case number(Double)
            case symbol(String)
            case end
        }

        var kind: Kind
        var line: Int
    }

    /// Cuts a template into tokens, and the blanks that its tags take along.
    struct Lexer {
        private let source: [UInt8]
        private var index = 0
        private var line = 1
        private var found: [Token] = []
        /// Whether what stands at `index` begins a line, for `lstrip_blocks`.
        private var beginsLine = true

        init(_ source: String) {
            // Jinja2 knows three ends of line, writes one, and drops the last.
            var text: [UInt8] = []
            var last: UInt8 = 0
            for byte in source.utf8 {
                if byte != 0x0A || last != 0x0D { text.append(byte == 0x0D ? 0x0A : byte) }
                last = byte
            }
            if text.last == 0x0A { text.removeLast() }
            self.source = text
        }

        mutating func tokens() throws -> [Token] {
            while index < source.count {
                guard let tag = nextTag() else {
                    add(.data(Text(source[index...])))
                    index = source.count
                    break
                }
                try lex(tag)
            }
            add(.end)
            return found
        }

        private mutating func lex(_ tag: UInt8) throws {
            switch tag {
            case UInt8(ascii: "#"): try skipComment()
            case UInt8(ascii: "{"):
                add(.variableBegin)
                try expression(endingWith: UInt8(ascii: "}"))
            default:
                let begin = index
                if word() == "raw", endOfTag() { return try raw() }
                index = begin
                add(.blockBegin)
                try expression(endingWith: UInt8(ascii: "%"))
            }
        }

        private mutating func add(_ kind: Token.Kind) {
            found.append(Token(kind: kind, line: line))
        }

        func error(_ problem: String) -> InputError {
            InputError(line: line, problem, remedy: Jinja.remedy)
        }
    }

    static let remedy = "The template cannot be used. Correct it, or use another."
}

extension Jinja.Lexer {
    private func byte(_ offset: Int = 0) -> UInt8? {
        index + offset < source.count ? source[index + offset] : nil
    }

    private mutating func advance(to end: Int) {
        for place in index..<end where source[place] == 0x0A { line += 1 }
        if end > index { beginsLine = source[end - 1] == 0x0A }
        index = end
    }

    private func isBlank(_ place: Int) -> Bool {
        place < source.count && Unicode.Scalar(source[place]).isBlank && source[place] < 0x80
    }

    /// Passes the text up to the next tag and the tag's opening; the tag's second letter.
    private mutating func nextTag() -> UInt8? {
        var start = index
        while start + 1 < source.count {
            if source[start] == UInt8(ascii: "{"),
                [UInt8(ascii: "%"), UInt8(ascii: "{"), UInt8(ascii: "#")].contains(
                    source[start + 1])
            {
                let kind = source[start + 1]
                openTag(at: start, isBlock: kind != UInt8(ascii: "{"))
                return kind
            }
            start += 1
        }
        return nil
    }

    /// Adds the text before a tag, less the blanks that the tag takes, and passes its opening.
    private mutating func openTag(at start: Int, isBlock: Bool) {
        let sign = start + 2 < source.count ? source[start + 2] : 0
        let hasSign = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+")
        var end = start
        if sign == UInt8(ascii: "-") {
            while end > index, isBlank(end - 1) { end -= 1 }
        } else if !hasSign, isBlock {
            var lineStart = end
            while lineStart > index, source[lineStart - 1] != 0x0A { lineStart -= 1 }
            if lineStart > index || beginsLine, (lineStart..<end).allSatisfy(isBlank) {
                end = lineStart
            }
        }
        if end > index { add(.data(Jinja.Text(source[index..<end]))) }
        advance(to: start + (hasSign ? 3 : 2))
    }

    /// Passes blanks after a tag: all of them after `-`, one newline after a block or comment.
    private mutating func closeTag(_ sign: UInt8?, isBlock: Bool) {
        var end = index
        if sign == UInt8(ascii: "-") {
            while isBlank(end) { end += 1 }
        } else if sign == nil, isBlock, byte() == 0x0A {
            end += 1
        }
        advance(to: end)
    }

    private mutating func skipComment() throws {
        let text = Jinja.Text(source)
        guard let end = text.find(Array("#}".utf8), in: index..<source.count) else {
            throw error("a comment never ends")
        }
        let sign = end > index ? source[end - 1] : 0
        advance(to: end + 2)
        let isSign = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+")
        closeTag(isSign ? sign : nil, isBlock: true)
    }

    private mutating func word() -> String {
        while isBlank(index) { advance(to: index + 1) }
        let start = index
        var end = index
        while end < source.count, source[end].isWord { end += 1 }
        advance(to: end)
        return String(decoding: source[start..<end], as: UTF8.self)
    }

    /// Passes `%}` with its sign and the blanks after it, if that is what comes.
    private mutating func endOfTag() -> Bool {
        var place = index
        while isBlank(place) { place += 1 }
        guard let sign = endSign(of: UInt8(ascii: "%"), at: place) else { return false }
        advance(to: place + (sign == 0 ? 2 : 3))
        closeTag(sign == 0 ? nil : sign, isBlock: true)
        return true
    }

    /// The sign of the end of a tag that stands at `place`: 0 for none; nil where no tag ends.
    private func endSign(of letter: UInt8, at place: Int) -> UInt8? {
        func ends(_ at: Int) -> Bool {
            at + 1 < source.count && source[at] == letter && source[at + 1] == UInt8(ascii: "}")
        }
        guard place < source.count else { return nil }
        if ends(place) { return 0 }
        let sign = source[place]
        let isSign =
            sign == UInt8(ascii: "-") || (sign == UInt8(ascii: "+") && letter == UInt8(ascii: "%"))
        return isSign && ends(place + 1) ? sign : nil
    }

    /// The text between `{% raw %}` and `{% endraw %}`.
    private mutating func raw() throws {
        let text = Jinja.Text(source)
        var from = index
        while let start = text.find(Array("{%".utf8), in: from..<source.count) {
            var ahead = self
            ahead.openTag(at: start, isBlock: true)
            if ahead.word() == "endraw", ahead.endOfTag() {
                self = ahead
                return
            }
            from = start + 2
        }
        throw error("{% raw %} never ends")
    }

    /// The tokens of a tag, up to and with its end.
    private mutating func expression(endingWith letter: UInt8) throws {
        var depth = 0
        while true {
            while isBlank(index) { advance(to: index + 1) }
            guard let next = byte() else { throw error("a tag never ends") }
            if depth == 0, let sign = endSign(of: letter, at: index) {
                let isBlock = letter == UInt8(ascii: "%")
                add(isBlock ? .blockEnd : .variableEnd)
                advance(to: index + (sign == 0 ? 2 : 3))
                return closeTag(sign == 0 ? nil : sign, isBlock: isBlock)
            }
            switch next {
            case UInt8(ascii: "'"), UInt8(ascii: "\""): try string(next)
            case UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
            case _ where next.isWord: add(.name(word()))
            default:
                if "([{".utf8.contains(next) { depth += 1 }
                if ")]}".utf8.contains(next) { depth -= 1 }
                try symbol()
            }
        }
    }

    private static let symbols = [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "(", ")", "[", "]", "{",
        "}", ">", "<", "=", ".", ":", "|", ",",
    ]

    private mutating func symbol() throws {
        guard let symbol = Self.symbols.first(where: { source[index...].starts(with: $0.utf8) })
        else {
            let rest = String(decoding: source[index...].prefix(4), as: UTF8.self).prefix(1)
            throw error("\"\(rest)\" means nothing in a template")
        }
        add(.symbol(symbol))
        advance(to: index + symbol.utf8.count)
    }

    private mutating func number() throws {
        let start = index
        var end = index
        func digits() {
            while end < source.count, source[end].isDigit || source[end] == 0x5F { end += 1 }
        }
        func isDigit(_ place: Int) -> Bool { place < source.count && source[place].isDigit }
        digits()
        var isInteger = true
        if end < source.count, source[end] == UInt8(ascii: "."), isDigit(end + 1) {
            isInteger = false
            end += 1
            digits()
        }
        if end < source.count, source[end] | 0x20 == UInt8(ascii: "e") {
            let hasSign = end + 1 < source.count && "+-".utf8.contains(source[end + 1])
            if isDigit(end + (hasSign ? 2 : 1)) {
                isInteger = false
                end += hasSign ? 2 : 1
                digits()
            }
        }
        let written = String(decoding: source[start..<end].filter { $0 != 0x5F }, as: UTF8.self)
        if isInteger, let value = Int(written) {
            add(.integer(value))
        } else if !isInteger, let value = Double(written) {
            add(.number(value))
        } else {
            throw error("\(written) is beyond what can be computed with")
        }
        advance(to: end)
    }

    private mutating func string(_ quote: UInt8) throws {
        var end = index + 1
        while end < source.count, source[end] != quote {
            end += source[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard end < source.count else { throw error("a text never ends") }
        let written = String(decoding: source[index + 1..<end], as: UTF8.self)
        add(.string(try unescaped(written)))
        advance(to: end + 1)
    }

    /// A text as Python's `unicode-escape` reads it.
    private func unescaped(_ written: String) throws -> String {
        var result = String.UnicodeScalarView()
        var rest = written.unicodeScalars[...]
        func code(_ digits: Int, _ radix: Int) throws -> Unicode.Scalar {
            let taken = rest.prefix(digits)
            guard radix == 8 || taken.count == digits,
                let value = UInt32(String(String.UnicodeScalarView(taken)), radix: radix),
                let scalar = Unicode.Scalar(value)
            else { throw error("a backslash begins no character") }
            rest = rest.dropFirst(taken.count)
            return scalar
        }
        let plain: [Unicode.Scalar: Unicode.Scalar] = [
            "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "\"": "\"", "a": "\u{7}",
            "b": "\u{8}", "f": "\u{C}", "v": "\u{B}",
        ]
        while let scalar = rest.popFirst() {
            guard scalar == "\\", let letter = rest.popFirst() else {
                result.append(scalar)
                continue
            }
            switch letter {
            case "\n": break
            case "x": result.append(try code(2, 16))
            case "u": result.append(try code(4, 16))
            case "U": result.append(try code(8, 16))
            case "N": throw error("characters by their names, \\N{...}, are not read")
            case "0"..."7":
                rest = written.unicodeScalars[rest.index(before: rest.startIndex)...]
                result.append(try code(rest.prefix(3).prefix { ("0"..."7").contains($0) }.count, 8))
            default:
                if let meant = plain[letter] {
                    result.append(meant)
                } else {
                    result.append("\\")
                    result.append(letter)
                }
            }
        }
        return String(result)
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { 0x30...0x39 ~= self }
    fileprivate var isWord: Bool {
        isDigit || 0x41...0x5A ~= self || 0x61...0x7A ~= self || self == 0x5F || self >= 0x80
    }
}

extension JSONReader {
    /// Reads a string.
    package mutating func string() throws(InputError) -> String {
        guard try kind() == .string else { throw error("a string should be here") }
        let opening = position
        var end = opening + 1
        // Most strings hold no escape: their bytes are their text.
        while let byte = byte(at: end), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            guard byte >= 0x20 else {
                throw error(
                    "a control character within a string, not written as an escape", at: end)
            }
            end += 1
        }
        if byte(at: end) == UInt8(ascii: "\"") {
            position = end + 1
            return try text(of: slice(opening + 1..<end), at: opening)
        }
        return try escapedString(from: opening, plainTo: end)
    }

    private mutating func escapedString(
        from opening: Int, plainTo: Int
    ) throws(InputError) -> String {
        var text = Array(slice(opening + 1..<plainTo))
        position = plainTo
        while let byte = byte(at: position) {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try self.text(of: text[...], at: opening)
            case UInt8(ascii: "\\"):
                try escape(into: &text)
            case 0..<0x20:
                throw error("a control character within a string, not written as an escape")
            default:
                text.append(byte)
                position += 1
            }
        }
        throw error("a string that never ends", at: opening)
    }

    private func text(of bytes: ArraySlice<UInt8>, at place: Int) throws(InputError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw error("a string that is not UTF-8", at: place)
        }
        return text
    }

    private mutating func escape(into text: inout [UInt8]) throws(InputError) {
        let letter = byte(at: position + 1)
        let place = position
        position += 2
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter ?? 0)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if 0xD800..<0xDC00 ~= code, byte(at: position) == UInt8(ascii: "\\"),
                byte(at: position + 1) == UInt8(ascii: "u")
            {
                position += 2
                let low = try hexadecimal()
                guard 0xDC00..<0xE000 ~= low else {
                    throw error("half a surrogate pair in an escape", at: place)
                }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else {
                throw error("half a surrogate pair in an escape", at: place)
            }
            text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        default: throw error("a backslash that begins no known escape", at: place)
        }
    }

    private mutating func hexadecimal() throws(InputError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = byte(at: position),
                let digit = Character(UnicodeScalar(byte)).hexDigitValue
            else { throw error("\\u without four hexadecimal digits") }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }

    /// Reads a number: an integer where it is written as one and fits 64 bits.
    package mutating func number() throws(InputError) -> JSONValue {
        guard try kind() == .number else { throw error("a number should be here") }
        let first = position
        let isNegative = byte(at: position) == UInt8(ascii: "-")
        if isNegative { position += 1 }
        var magnitude: UInt64 = 0
        var fits = true
        let leading = byte(at: position)
        let digits = skipDigits { digit in
            let (tens, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(digit))
            magnitude = sum
            fits = fits && !overflow && !carry
        }
        guard digits > 0, digits == 1 || leading != UInt8(ascii: "0") else {
            throw error("a number that is not written as JSON writes them", at: first)
        }
        var isInteger = true
        if byte(at: position) == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            guard skipDigits({ _ in }) > 0 else {
                throw error("a number that ends with its decimal point", at: first)
            }
        }
        if let letter = byte(at: position), letter | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            position += 1
            if let sign = byte(at: position), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-")
            {
                position += 1
            }
            guard skipDigits({ _ in }) > 0 else {
                throw error("a number whose exponent has no digits", at: first)
            }
        }
        if isInteger, fits {
            if !isNegative, let value = Int64(exactly: magnitude) { return .integer(value) }
            if isNegative, magnitude <= UInt64(Int64.max) + 1 {
                return .integer(Int64(truncatingIfNeeded: 0 &- magnitude))
            }
        }
        let written = String(decoding: slice(first..<position), as: UTF8.self)
        guard let value = Double(written), value.isFinite else {
            throw error("the number \(written) is beyond what can be computed with", at: first)
        }
        return .number(value)
    }

    private mutating func skipDigits(_ body: (UInt8) -> Void) -> Int {
        let first = position
        while let byte = byte(at: position), 0x30...0x39 ~= byte {
            body(byte &- 0x30)
            position += 1
        }
        return position - first
    }
}

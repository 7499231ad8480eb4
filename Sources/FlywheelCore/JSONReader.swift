/// A strict reader of JSON texts (RFC 8259) over bytes in memory.
///
/// It serves both ways of reading: `value()` yields whole `JSONValue`s; `members` and `elements`
/// walk through large texts without building them. Beyond the grammar it refuses what different
/// readers would understand differently: a key given twice, half a surrogate pair, bytes that are
/// not UTF-8, numbers no `Double` can hold, and nesting deeper than `depthMax`.
package struct JSONReader: Sendable {
    package static let depthMax = 512

    private let bytes: [UInt8]
    private let start: Int
    private let end: Int
    private let firstLine: Int
    private var depth = 0
    /// The index of the next byte to read.
    package internal(set) var position: Int

    /// Reads `range` of `bytes` (all of them by default), whose first line counts as `line`.
    package init(_ bytes: [UInt8], in range: Range<Int>? = nil, line: Int = 1) {
        let range = range ?? bytes.startIndex..<bytes.endIndex
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        self.bytes = bytes
        start = range.lowerBound
        end = range.upperBound
        position = range.lowerBound
        firstLine = line
    }

    /// The kinds of value, told apart by their first byte.
    package enum Kind: Sendable { case null, boolean, number, string, array, object }

    /// The kind of the value that comes next, without reading it.
    package mutating func kind() throws(InputError) -> Kind {
        skipBlanks()
        guard position < end else { throw error("the text ends where a value should be") }
        switch bytes[position] {
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw error("\(shown(at: position)) where a value should be")
        }
    }

    /// Reads one value of any kind.
    package mutating func value() throws(InputError) -> JSONValue {
        switch try kind() {
        case .string: return .string(try string())
        case .number: return try number()
        case .boolean: return .boolean(try boolean())
        case .null:
            try literal("null")
            return .null
        case .array:
            var elements: [JSONValue] = []
            try self.elements { (reader) throws(InputError) in
                elements.append(try reader.value())
            }
            return .array(elements)
        case .object:
            var members: [String: JSONValue] = [:]
            try self.members { (reader, key) throws(InputError) in
                let place = reader.position
                let value = try reader.value()
                guard members.updateValue(value, forKey: key) == nil else {
                    throw reader.error("the key \"\(key)\" comes twice in one object", at: place)
                }
            }
            return .object(members)
        }
    }

    /// Reads an array, giving `body` the reader once for each element, which it must read.
    package mutating func elements(
        _ body: (inout JSONReader) throws(InputError) -> Void
    ) throws(InputError) {
        try open(UInt8(ascii: "["), "an array")
        if try closes(UInt8(ascii: "]")) { return }
        repeat { try body(&self) } while try continues(UInt8(ascii: "]"), "array")
    }

    /// Reads an object, giving `body` each key and the reader, from which it must read the value.
    ///
    /// Repeated keys are the caller's to notice.
    package mutating func members(
        _ body: (inout JSONReader, String) throws(InputError) -> Void
    ) throws(InputError) {
        try open(UInt8(ascii: "{"), "an object")
        if try closes(UInt8(ascii: "}")) { return }
        repeat {
            skipBlanks()
            guard position < end, bytes[position] == UInt8(ascii: "\"") else {
                throw error("\(shown(at: position)) where a key in quotes should be")
            }
            let key = try string()
            skipBlanks()
            guard position < end, bytes[position] == UInt8(ascii: ":") else {
                throw error("\(shown(at: position)) where the colon after a key should be")
            }
            position += 1
            try body(&self, key)
        } while try continues(UInt8(ascii: "}"), "object")
    }

    /// The byte at `index`; nil at the end of what is read.
    func byte(at index: Int) -> UInt8? { index < end ? bytes[index] : nil }

    func slice(_ range: Range<Int>) -> ArraySlice<UInt8> { bytes[range] }

    /// Makes sure that nothing but blanks follows.
    package mutating func finish() throws(InputError) {
        skipBlanks()
        guard position == end else {
            throw error("\(shown(at: position)) after the end of the value")
        }
    }

    /// An error that names the line of `place`, which is the reader's own by default.
    package func error(_ problem: String, at place: Int? = nil) -> InputError {
        let place = min(place ?? position, end)
        let line = firstLine + bytes[start..<place].count { $0 == UInt8(ascii: "\n") }
        return InputError(line: line, "not valid JSON: \(problem)")
    }
}

extension JSONReader {
    private mutating func skipBlanks() {
        while position < end {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// What stands at `place`, for a sentence.
    private func shown(at place: Int) -> String {
        guard place < end else { return "the text ends" }
        let byte = bytes[place]
        return (0x21...0x7E).contains(byte)
            ? "'\(Character(UnicodeScalar(byte)))'" : "the byte 0x\(String(byte, radix: 16))"
    }

    private mutating func open(_ byte: UInt8, _ what: String) throws(InputError) {
        skipBlanks()
        guard position < end, bytes[position] == byte else {
            throw error("\(shown(at: position)) where \(what) should begin")
        }
        guard depth < Self.depthMax else { throw error("nested deeper than \(Self.depthMax)") }
        depth += 1
        position += 1
    }

    /// Whether the container just opened is empty.
    private mutating func closes(_ byte: UInt8) throws(InputError) -> Bool {
        skipBlanks()
        guard position < end, bytes[position] == byte else { return false }
        position += 1
        depth -= 1
        return true
    }

    /// Whether a comma leads to a further element of the open container, rather than `byte` closing it.
    private mutating func continues(_ byte: UInt8, _ what: String) throws(InputError) -> Bool {
        skipBlanks()
        guard position < end else { throw error("the text ends within an \(what)") }
        if bytes[position] == UInt8(ascii: ",") {
            position += 1
            return true
        }
        guard bytes[position] == byte else {
            throw error("\(shown(at: position)) where a comma or the end of an \(what) should be")
        }
        position += 1
        depth -= 1
        return false
    }

    private mutating func literal(_ word: StaticString) throws(InputError) {
        let length = word.utf8CodeUnitCount
        let found = bytes[position..<min(position + length, end)]
        guard found.elementsEqual(word.description.utf8) else {
            throw error("\(shown(at: position)) where a value should be")
        }
        position += length
    }

    /// Reads `true` or `false`.
    package mutating func boolean() throws(InputError) -> Bool {
        guard try kind() == .boolean else { throw error("true or false should be here") }
        if bytes[position] == UInt8(ascii: "t") {
            try literal("true")
            return true
        }
        try literal("false")
        return false
    }
}

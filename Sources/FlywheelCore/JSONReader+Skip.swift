extension JSONReader {
    /// Reads past one value, which must be valid, without building it.
    package mutating func skip() throws(InputError) {
        switch try kind() {
        case .string: _ = try string()
        case .number: _ = try number()
        case .boolean: _ = try boolean()
        case .null: _ = try value()
        case .array:
            try elements { (reader) throws(InputError) in try reader.skip() }
        case .object:
            try members { (reader, _) throws(InputError) in try reader.skip() }
        }
    }
}

/// The text of a JSON object with the place of each member, for changing a few of them and leaving
/// every other byte as it was written.
package struct JSONObjectText: Sendable {
    package struct Member: Sendable {
        package var key: String
        /// From the comma before it, or what follows the opening brace, to the end of its value.
        var whole: Range<Int>
        package var value: Range<Int>
    }

    package let bytes: [UInt8]
    package private(set) var members: [Member] = []
    /// Behind the opening brace.
    private var start = 0

    /// Reads `bytes`, which must be one JSON object whose own keys are given once each.
    package init(_ bytes: [UInt8]) throws(InputError) {
        self.bytes = bytes
        var reader = JSONReader(bytes)
        var members: [Member] = []
        guard try reader.kind() == .object else {
            throw reader.error("an object should be here")
        }
        var end = reader.position + 1
        start = end
        var keys: Set<String> = []
        try reader.members { (reader, key) throws(InputError) in
            guard keys.insert(key).inserted else {
                throw reader.error("the key \"\(key)\" comes twice in one object")
            }
            _ = try reader.kind()
            let first = reader.position
            try reader.skip()
            members.append(
                Member(key: key, whole: end..<reader.position, value: first..<reader.position))
            end = reader.position
        }
        try reader.finish()
        self.members = members
    }

    /// The member `key`, read; nil where there is none.
    package subscript(key: String) -> JSONValue? {
        guard let member = members.first(where: { $0.key == key }) else { return nil }
        var reader = JSONReader(bytes, in: member.value)
        return try? reader.value()
    }

    /// The text with some values replaced; a key that is not there yet is added, nil takes it out.
    package func changing(_ changes: [String: [UInt8]?]) -> [UInt8] {
        guard !changes.isEmpty else { return bytes }
        var parts: [(key: String, text: [UInt8])] = []
        for (index, member) in members.enumerated() {
            // Without the comma before it, which is the first byte but for the first member.
            let comma = index == 0 ? nil : bytes[member.whole].firstIndex(of: UInt8(ascii: ","))
            let begin = comma.map { $0 + 1 } ?? member.whole.lowerBound
            guard let change = changes[member.key] else {
                parts.append((member.key, Array(bytes[begin..<member.whole.upperBound])))
                continue
            }
            guard let value = change else { continue }
            parts.append((member.key, bytes[begin..<member.value.lowerBound] + value))
        }
        let known = Set(members.map(\.key))
        for (key, value) in changes.sorted(by: { $0.key < $1.key }) where !known.contains(key) {
            guard let value else { continue }
            parts.append(
                (key, Array(JSONValue.string(key).canonical.utf8) + [UInt8(ascii: ":")] + value))
        }
        let rest = members.last?.whole.upperBound ?? start
        return Array(bytes[..<start])
            + Array(parts.map(\.text).joined(separator: [UInt8(ascii: ",")]))
            + Array(bytes[rest...])
    }
}

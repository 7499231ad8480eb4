import FlywheelCore
import Foundation

/// A JSON object whose bodies are known as they were written, too.
struct RecordedObject {
    let line: Int
    private var members: [String: JSONValue] = [:]
    private(set) var bodies: [String: [UInt8]] = [:]

    init(_ text: ArraySlice<UInt8>, number: Int) throws(InputError) {
        line = number
        let bytes = Array(text)
        var reader = JSONReader(bytes, in: bytes.indices, line: number)
        var (members, bodies) = (self.members, self.bodies)
        try reader.members { (reader, key) throws(InputError) in
            _ = try reader.kind()
            let start = reader.position
            members[key] = try reader.value()
            if key == "request" || key == "response" {
                bodies[key] = Array(bytes[start..<reader.position])
            }
        }
        try reader.finish()
        (self.members, self.bodies) = (members, bodies)
    }

    var value: JSONValue { .object(members) }

    subscript(key: String) -> JSONValue? { members[key] }

    /// The first of `keys` that holds a text, or a whole number.
    func text(_ keys: String...) -> String? {
        for key in keys {
            if let text = members[key]?.string, !text.isEmpty { return text }
            if let number = members[key]?.integer { return String(number) }
        }
        return nil
    }

    func number(_ keys: String...) -> Double? {
        keys.lazy.compactMap { members[$0]?.number }.first
    }

    /// `at` or `timestamp`: in seconds or milliseconds since 1970, or as ISO 8601 writes it.
    func moment() throws(InputError) -> Date {
        let key = members["at"] == nil ? "timestamp" : "at"
        if let number = members[key]?.number {
            // A count of seconds of this size lies beyond the year 5000.
            return Date(timeIntervalSince1970: number > 1e11 ? number / 1_000 : number)
        }
        if let text = members[key]?.string {
            for style in [
                Date.ISO8601FormatStyle(),
                Date.ISO8601FormatStyle(includingFractionalSeconds: true),
            ] {
                if let moment = try? Date(text, strategy: style) { return moment }
            }
        }
        throw error(key, "it does not say when the call was made")
    }

    func error(_ field: String, _ problem: String) -> InputError {
        InputError(
            line: line, field: field, problem,
            remedy: "Nothing was imported. Correct the record or take it out.")
    }
}

import FlywheelCore
import HTTPInterface

/// The members of a request's body, read one by one; null is as good as absent.
struct Fields {
    private let members: [String: JSONValue]

    init(_ body: JSONValue) throws(APIError) {
        guard let members = body.object else { throw .invalid("The body is not a JSON object.") }
        self.members = members
    }

    subscript(key: String) -> JSONValue? {
        guard let value = members[key], value != .null else { return nil }
        return value
    }

    func number(_ key: String) throws(APIError) -> Double? {
        try read(key, "a number") { $0.number }
    }

    func integer(_ key: String) throws(APIError) -> Int? {
        try read(key, "an integer") { $0.integer.flatMap { Int(exactly: $0) } }
    }

    func flag(_ key: String) throws(APIError) -> Bool? {
        try read(key, "true or false") { $0.boolean }
    }

    func string(_ key: String) throws(APIError) -> String? {
        try read(key, "a string") { $0.string }
    }

    private func read<Value>(
        _ key: String, _ kind: String, _ value: (JSONValue) -> Value?
    ) throws(APIError) -> Value? {
        guard let given = self[key] else { return nil }
        guard let value = value(given) else {
            throw .invalid("\(key): it must be \(kind).", param: key)
        }
        return value
    }
}

extension JSONValue {
    /// Token ids; nil where it is anything else.
    var tokens: [Int32]? {
        guard let elements = array else { return nil }
        let ids = elements.compactMap { $0.integer.flatMap { Int32(exactly: $0) } }
        return ids.count == elements.count ? ids : nil
    }
}

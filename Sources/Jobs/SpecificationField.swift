package import FlywheelCore

/// A value of a specification with the path that leads to it; reads itself as what is expected, or
/// throws the sentence that says what was found instead.
package struct SpecificationField: Sendable {
    let tree: SpecificationTree
    /// `schedule.epochs`, `after[2]`; empty for the whole document.
    package let path: String

    package func error(_ problem: String, remedy: String = "") -> InputError {
        InputError(
            file: tree.place.file, line: tree.place.line, field: path.isEmpty ? nil : path,
            problem, remedy: remedy)
    }

    /// An error about the value at `field`, a path as `model.base`, where it was written.
    package func error(at field: String, _ problem: String, remedy: String = "") -> InputError {
        var place = tree.place
        var value = tree.value
        for key in field.split(separator: ".") {
            guard case .object(let members) = value,
                let member = members.first(where: { $0.key == key })
            else { break }
            (place, value) = (member.value.place, member.value.value)
        }
        return InputError(
            file: place.file, line: place.line, field: field, problem, remedy: remedy)
    }

    /// The documents of a YAML text that is not a job's specification.
    package static func documents(
        yaml text: String, file: String?
    ) throws(InputError) -> [SpecificationField] {
        try SpecificationTree.documents(yaml: text, file: file).map {
            SpecificationField(tree: $0, path: "")
        }
    }

    /// The value as JSON, in the order in which it was written.
    package var jsonText: String { tree.jsonText }

    package var json: JSONValue { tree.json }

    package var isObject: Bool { if case .object = tree.value { true } else { false } }

    /// A document of JSON that we have written ourselves.
    package static func document(_ json: JSONValue) -> SpecificationField {
        SpecificationField(tree: SpecificationTree(json), path: "")
    }

    /// Whether the value is null: for keys where that says something.
    package var isNull: Bool { tree.value == .null }

    package func expected(_ what: String, remedy: String = "") -> InputError {
        error("expected \(what), found \(tree.found)", remedy: remedy)
    }

    /// - Parameter max: in bytes; the limit of specifications, unless said otherwise.
    package func text(max: Int? = nil) throws(InputError) -> String {
        let max = max ?? SpecificationLimits.textBytes
        switch tree.value {
        case .text(let text) where !text.isEmpty && text.utf8.count <= max: return text
        case .text(""): throw expected("text")
        case .text: throw error("longer than \(max) bytes")
        case .integer, .number, .boolean:
            throw expected("text", remedy: "Put it in quotes to make it text.")
        default: throw expected("text")
        }
    }

    /// A name: lowercase letters, digits, `.`, `_` and `-`, beginning with a letter or digit.
    package func name() throws(InputError) -> String {
        let name = try text()
        guard SpecificationName.isValid(name) else {
            throw error("`\(name.prefix(120))` is not a name", remedy: SpecificationName.rule)
        }
        return name
    }

    package func wholeNumber(in range: ClosedRange<Int>) throws(InputError) -> Int {
        let value: Int? =
            switch tree.value {
            case .integer(let value): Int(value)
            case .number(let value): Int(exactly: value)
            default: nil
            }
        guard let value else { throw expected("a whole number") }
        guard range.contains(value) else {
            throw error(
                "\(value) is out of range",
                remedy: "Give a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return value
    }

    package func number(in range: ClosedRange<Double>, isOpenBelow: Bool = false) throws(InputError)
        -> Double
    {
        let value: Double
        switch tree.value {
        case .integer(let whole): value = Double(whole)
        case .number(let number): value = number
        default: throw expected("a number")
        }
        guard range.contains(value), !(isOpenBelow && value == range.lowerBound) else {
            let below = isOpenBelow ? "above" : "from"
            throw error(
                "\(value) is out of range",
                remedy: "Give a number \(below) \(range.lowerBound) to \(range.upperBound).")
        }
        return value
    }

    package func flag() throws(InputError) -> Bool {
        guard case .boolean(let value) = tree.value else { throw expected("true or false") }
        return value
    }

    /// One of the names of `Choice`; those in `later` are known, and refused as not there yet.
    package func choice<Choice: RawRepresentable<String> & CaseIterable>(
        of type: Choice.Type, later: [String] = []
    ) throws(InputError) -> Choice {
        let names = Choice.allCases.map(\.rawValue)
        let listed = names.map { "`\($0)`" }.joined(separator: ", ")
        guard case .text(let name) = tree.value else { throw expected("one of \(listed)") }
        if let choice = Choice(rawValue: name) { return choice }
        guard !later.contains(name) else {
            throw error("`\(name)` is not available in this version", remedy: "Use \(listed).")
        }
        throw error(
            "`\(name.prefix(80))` is none of \(listed)",
            remedy: nearest(to: name, among: names).map { "Did you mean `\($0)`?" } ?? "")
    }

    package func list<Element>(
        max: Int, _ read: (SpecificationField) throws(InputError) -> Element
    ) throws(InputError) -> [Element] {
        guard case .list(let elements) = tree.value else { throw expected("a list") }
        guard elements.count <= max else { throw error("more than \(max) elements") }
        var list: [Element] = []
        for (index, element) in elements.enumerated() {
            list.append(try read(.init(tree: element, path: "\(path)[\(index)]")))
        }
        return list
    }

    /// An object whose keys are not fixed, in order of its keys.
    package func entries(max: Int) throws(InputError) -> [(key: String, value: SpecificationField)]
    {
        guard case .object(let members) = tree.value else { throw expected("an object") }
        guard members.count <= max else { throw error("more than \(max) entries") }
        return members.sorted { $0.key < $1.key }.map { ($0.key, child($0.key, $0.value)) }
    }

    /// An object that may hold the keys `known` and no other.
    ///
    /// - Parameter instead: what to say to whoever writes a key that they know from elsewhere.
    package func object(
        _ known: String..., instead: [String: String] = [:]
    ) throws(InputError) -> FieldReader {
        try FieldReader(self, known: known, instead: instead)
    }

    func digest() throws(InputError) -> Digest {
        guard let digest = Digest(hex: try text()) else {
            throw expected("a digest of 64 hexadecimal digits")
        }
        return digest
    }

    fileprivate func child(_ key: String, _ value: SpecificationTree) -> SpecificationField {
        SpecificationField(tree: value, path: path.isEmpty ? key : "\(path).\(key)")
    }

    fileprivate func members() throws(InputError) -> [SpecificationTree.Member] {
        guard case .object(let members) = tree.value else { throw expected("an object") }
        return members
    }
}

/// Reads an object by its keys: refuses unknown ones first, since a slip in a key is also the reason
/// why another seems to be missing.
package struct FieldReader {
    let field: SpecificationField
    private let fields: [String: SpecificationField]
    private let known: Set<String>

    /// - Parameters:
    ///   - ours: keys that we write, never people: read, but not offered to them.
    ///   - instead: the remedy for a key that is unknown here, and that people may expect.
    init(
        _ field: SpecificationField, known: [String], ours: [String] = [],
        instead: [String: String] = [:]
    ) throws(InputError) {
        var fields: [String: SpecificationField] = [:]
        for member in try field.members() {
            let child = field.child(member.key, member.value)
            guard known.contains(member.key) || ours.contains(member.key) else {
                throw InputError(
                    file: member.place.file, line: member.place.line, field: child.path,
                    "unknown key `\(member.key.prefix(80))`",
                    remedy: instead[member.key]
                        ?? nearest(to: member.key, among: known).map { "Did you mean `\($0)`?" }
                        ?? "Known here: \(known.map { "`\($0)`" }.joined(separator: ", ")).")
            }
            // A null is an absent key: that is how `--set` takes one out.
            if member.value.value != .null { fields[member.key] = child }
        }
        self.field = field
        self.fields = fields
        self.known = Set(known + ours)
    }

    /// The field `key`; nil where it is absent or null.
    package subscript(key: String) -> SpecificationField? {
        precondition(known.contains(key), "\(key) is not declared")
        return fields[key]
    }

    package func required(_ key: String) throws(InputError) -> SpecificationField {
        if let field = self[key] { return field }
        let path = field.path.isEmpty ? key : "\(field.path).\(key)"
        throw InputError(
            file: field.tree.place.file, line: field.tree.place.line, field: path,
            "`\(key)` is missing", remedy: "It has no default: add it.")
    }

    /// The one field of `keys` that is given.
    package func oneOf(_ keys: String...) throws(InputError) -> (
        key: String, field: SpecificationField
    ) {
        let given = keys.filter { self[$0] != nil }
        guard given.count == 1, let field = self[given[0]] else {
            let listed = keys.map { "`\($0)`" }.joined(separator: " or ")
            let place = given.last.flatMap { self[$0]?.tree.place } ?? field.tree.place
            throw InputError(
                file: place.file, line: place.line, field: field.path.isEmpty ? nil : field.path,
                given.isEmpty ? "\(listed) is missing" : "only one of \(listed) may be given")
        }
        return (given[0], field)
    }

    package func value<Value>(
        _ key: String, default fallback: @autoclosure () -> Value,
        _ read: (SpecificationField) throws(InputError) -> Value
    ) throws(InputError) -> Value {
        guard let field = self[key] else { return fallback() }
        return try read(field)
    }

    package func wholeNumber(
        _ key: String, in range: ClosedRange<Int>, default fallback: Int
    ) throws(InputError) -> Int {
        guard let field = self[key] else { return fallback }
        return try field.wholeNumber(in: range)
    }

    package func number(
        _ key: String, in range: ClosedRange<Double>, default fallback: Double
    ) throws(InputError) -> Double {
        guard let field = self[key] else { return fallback }
        return try field.number(in: range)
    }

    package func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ key: String, default fallback: Choice, later: [String] = []
    ) throws(InputError) -> Choice {
        guard let field = self[key] else { return fallback }
        return try field.choice(of: Choice.self, later: later)
    }
}

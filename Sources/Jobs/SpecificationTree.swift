public import FlywheelCore
import Yams

/// Where somebody wrote a value: a file and a line of it, a command line's `--set`, or nowhere.
struct SpecificationPlace: Hashable, Sendable {
    var file: String?
    var line: Int?
}

/// A value of a specification as it was written, whatever the format: what YAML, stored JSON and
/// `--set` have in common.
struct SpecificationTree: Sendable, Equatable {
    enum Value: Sendable, Equatable {
        case null
        case boolean(Bool)
        case integer(Int64)
        case number(Double)
        case text(String)
        case list([SpecificationTree])
        case object([Member])
    }

    struct Member: Sendable, Equatable {
        var key: String
        /// Of the key; a value's own place may lie lines below.
        var place: SpecificationPlace
        var value: SpecificationTree
    }

    var value: Value
    var place = SpecificationPlace()

    /// What stands here, for the sentence that says it should not.
    var found: String {
        switch value {
        case .null: "nothing"
        case .boolean(let value): "`\(value)`"
        case .integer(let value): "the whole number \(value)"
        case .number(let value): "the number \(value)"
        case .text(let value): "the text `\(value.prefix(80))`"
        case .list: "a list"
        case .object: "an object"
        }
    }
}

extension SpecificationTree {
    init(_ json: JSONValue, place: SpecificationPlace = SpecificationPlace()) {
        self.place = place
        value =
            switch json {
            case .null: .null
            case .boolean(let value): .boolean(value)
            case .integer(let value): .integer(value)
            case .number(let value): .number(value)
            case .string(let value): .text(value)
            case .array(let elements): .list(elements.map { Self($0, place: place) })
            case .object(let members):
                .object(
                    members.sorted { $0.key < $1.key }.map { key, value in
                        Member(key: key, place: place, value: Self(value, place: place))
                    })
            }
    }
}

extension SpecificationTree {
    /// The value as JSON, for what is kept as it was written.
    var json: JSONValue {
        switch value {
        case .null: .null
        case .boolean(let value): .boolean(value)
        case .integer(let value): .integer(value)
        case .number(let value): .number(value)
        case .text(let text): .string(text)
        case .list(let elements): .array(elements.map(\.json))
        case .object(let members):
            .object(
                Dictionary(members.map { ($0.key, $0.value.json) }, uniquingKeysWith: { $1 }))
        }
    }
}

extension SpecificationTree {
    /// The value as a JSON text, keys in the order in which they were written.
    var jsonText: String {
        switch value {
        case .list(let elements): "[" + elements.map(\.jsonText).joined(separator: ",") + "]"
        case .object(let members):
            "{"
                + members.map { JSONValue.string($0.key).canonical + ":" + $0.value.jsonText }
                .joined(separator: ",") + "}"
        default: json.canonical
        }
    }
}

// MARK: YAML

extension SpecificationTree {
    /// The documents of a YAML text.
    ///
    /// Throws for wrong syntax, duplicate keys and texts made to explode: an alias repeats what it
    /// names, so that a few dozen can make a tree of any size.
    static func documents(yaml text: String, file: String?) throws(InputError) -> [Self] {
        typealias Limits = SpecificationLimits
        guard text.utf8.count <= Limits.fileBytes else {
            throw InputError(
                file: file, "larger than \(Limits.fileBytes) bytes",
                remedy: "A specification names its data; it does not hold them.")
        }
        guard text.matches(of: /(^|[\s\[{,:?-])\*\w/).count <= Limits.aliases else {
            throw InputError(
                file: file, "more than \(Limits.aliases) aliases (`*name`)",
                remedy: "Write the values out.")
        }
        let roots: [Node]
        do {
            let parser = try Parser(yaml: text, encoding: .utf8)
            roots = Array(try sequenceOfRoots(parser))
        } catch {
            throw syntaxError(error).inFile(file)
        }
        var reader = YAMLReader(file: file, nodesLeft: Limits.nodes)
        var trees: [Self] = []
        for root in roots { trees.append(try reader.tree(root, depth: 0)) }
        return trees
    }

    private static func sequenceOfRoots(_ parser: Parser) throws -> [Node] {
        var roots: [Node] = []
        while let root = try parser.nextRoot() { roots.append(root) }
        return roots
    }

    private static func syntaxError(_ error: any Error) -> InputError {
        switch error {
        case YamlError.scanner(let context, let problem, let mark, _),
            YamlError.parser(let context, let problem, let mark, _),
            YamlError.composer(let context, let problem, let mark, _):
            // The parser names one of its own functions here.
            guard !problem.contains("yaml_set_max_nest_level") else {
                return InputError(
                    line: mark.line, "nested deeper than \(SpecificationLimits.depth)")
            }
            let context = context.map { "\($0.text) that began on line \($0.mark.line), " } ?? ""
            return InputError(line: mark.line, "not valid YAML: \(context)\(problem)")
        case YamlError.duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map { "`\($0)`" }.joined(separator: ", ")
            return InputError(
                line: context.mark.line, field: duplicates.count == 1 ? duplicates.first : nil,
                "the key \(names) is given more than once", remedy: "Keep one.")
        case YamlError.reader(let problem, _, _, _):
            return InputError("not valid YAML: \(problem)", remedy: "Write the file in UTF-8.")
        default:
            return InputError("not valid YAML: \(error)")
        }
    }
}

/// Turns nodes of Yams into trees, counting them.
private struct YAMLReader {
    let file: String?
    var nodesLeft: Int

    mutating func tree(_ node: Node, depth: Int) throws(InputError) -> SpecificationTree {
        let place = SpecificationPlace(file: file, line: node.mark?.line)
        nodesLeft -= 1
        guard nodesLeft >= 0, depth <= SpecificationLimits.depth else {
            throw InputError(
                file: place.file, line: place.line,
                "more than \(SpecificationLimits.nodes) values, or nested deeper than "
                    + "\(SpecificationLimits.depth)")
        }
        switch node {
        case .scalar(let scalar):
            return SpecificationTree(value: Self.value(of: scalar), place: place)
        case .sequence(let elements):
            var list: [SpecificationTree] = []
            for element in elements { list.append(try tree(element, depth: depth + 1)) }
            return SpecificationTree(value: .list(list), place: place)
        case .mapping(let pairs):
            var members: [SpecificationTree.Member] = []
            for (key, value) in pairs {
                let keyPlace = SpecificationPlace(file: file, line: key.mark?.line)
                guard case .scalar(let name) = key else {
                    throw InputError(
                        file: file, line: keyPlace.line, "a key must be a plain name")
                }
                members.append(
                    .init(
                        key: name.string, place: keyPlace, value: try tree(value, depth: depth + 1)
                    ))
            }
            return SpecificationTree(value: .object(members), place: place)
        case .alias:
            throw InputError(file: file, line: place.line, "an alias of nothing")
        }
    }

    /// YAML 1.2's core schema, in decimal: what is quoted is text.
    static func value(of scalar: Node.Scalar) -> SpecificationTree.Value {
        guard scalar.style == .plain else { return .text(scalar.string) }
        switch scalar.string {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .boolean(true)
        case "false", "False", "FALSE": return .boolean(false)
        case let text where text.wholeMatch(of: /[-+]?[0-9]+/) != nil:
            return Int64(text).map { .integer($0) } ?? .text(text)
        case let text
        where text.wholeMatch(of: /[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?/) != nil:
            return Double(text).map { .number($0) } ?? .text(text)
        case let text: return .text(text)
        }
    }
}

// MARK: --set

/// One `--set path.to.key=value` of a command line: a value put into a tree before it is decoded.
public struct SpecificationSetting: Sendable {
    let path: [String]
    let value: SpecificationTree

    /// Reads `path.to.key=value`; the value is YAML, so `after=[3, 4]` and `patience=null` work.
    public init(parsing argument: String) throws(InputError) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !path.contains("") else {
            throw InputError(
                file: "--set", "expected path.to.key=value, found `\(argument)`",
                remedy: "For example: --set schedule.epochs=3")
        }
        self.path = path
        let place = SpecificationPlace(file: "--set")
        let documents = try SpecificationTree.documents(yaml: String(parts[1]), file: "--set")
        value = documents.first?.placed(place) ?? SpecificationTree(value: .null, place: place)
    }
}

extension SpecificationTree {
    fileprivate func placed(_ place: SpecificationPlace) -> Self {
        switch value {
        case .list(let elements):
            Self(value: .list(elements.map { $0.placed(place) }), place: place)
        case .object(let members):
            Self(
                value: .object(
                    members.map {
                        Member(key: $0.key, place: place, value: $0.value.placed(place))
                    }), place: place)
        default: Self(value: value, place: place)
        }
    }

    /// The tree with `setting` put in; objects on the way are made where there are none.
    func applying(_ setting: SpecificationSetting) throws(InputError) -> Self {
        try replacing(setting.path[...], by: setting.value, of: setting.path)
    }

    private func replacing(
        _ path: ArraySlice<String>, by new: Self, of whole: [String]
    ) throws(InputError) -> Self {
        guard let key = path.first else { return new }
        var members: [Member]
        switch value {
        case .object(let existing): members = existing
        case .null: members = []
        default:
            throw InputError(
                file: "--set", field: whole.joined(separator: "."),
                "`\(whole.dropLast(path.count).joined(separator: "."))` is not an object but "
                    + found)
        }
        let index = members.firstIndex { $0.key == key }
        let old = index.map { members[$0].value } ?? Self(value: .null, place: new.place)
        let member = Member(
            key: key, place: new.place,
            value: try old.replacing(path.dropFirst(), by: new, of: whole))
        if let index { members[index] = member } else { members.append(member) }
        var copy = self
        copy.value = .object(members)
        return copy
    }
}

extension InputError {
    func inFile(_ file: String?) -> Self { file.map { inFile($0) } ?? self }
}

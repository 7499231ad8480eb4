package import FlywheelCore
package import Graders

/// The graders that a specification can name.
private enum GraderType: String, CaseIterable {
    case exact, regex, json, numeric, multi, judge

    var keys: [String] {
        switch self {
        case .exact: ["ignoreCase", "whitespace"]
        case .regex: ["pattern", "match", "group", "ignoreCase", "whitespace"]
        case .json: ["field", "fields", "schema"]
        case .numeric: ["after", "tolerance", "relativeTolerance"]
        case .multi: ["graders", "weights", "calculate"]
        case .judge: Judge.keys + ["agreement"]
        }
    }
}

extension SpecificationField {
    /// The value of `graders`: a list of them, each under a name of its own.
    package func marking() throws(InputError) -> Marking {
        let all = try list(max: SpecificationLimits.graders) { field throws(InputError) in
            try field.namedMarker()
        }
        guard !all.isEmpty else {
            throw error("no grader", remedy: "Give at least one, as [{type: exact}].")
        }
        var names: Set<String> = [Marking.accuracy]
        for (index, marker) in all.enumerated()
        where !names.insert(marker.name).inserted {
            throw error(
                "grader \(index + 1) is called `\(marker.name)`, "
                    + (marker.name == Marking.accuracy
                        ? "which is what the first grader's share is called" : "as another is"),
                remedy: "Give it a `name` of its own.")
        }
        return Marking(all.compactMap(\.grader), judges: all.compactMap(\.judge))
    }

    /// A rule, or a model that is asked.
    private struct Marker {
        var name: String
        var grader: NamedGrader?
        var judge: NamedJudge?
    }

    /// `name` or, without one, the type.
    private func namedMarker() throws(InputError) -> Marker {
        let (type, fields) = try graderFields(["name"])
        let name = try fields.value("name", default: type.rawValue) { field throws(InputError) in
            try field.graderName()
        }
        guard type == .judge else {
            return Marker(name: name, grader: NamedGrader(name, try grader(type, fields)))
        }
        let floor = try fields.value("agreement", default: JudgeFloor()) {
            field throws(InputError) in try JudgeFloor(field)
        }
        return Marker(name: name, judge: NamedJudge(name, try Judge(fields), floor: floor))
    }

    private func graderName() throws(InputError) -> String {
        let name = try text(max: SpecificationLimits.nameBytes)
        guard name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }),
            name.first?.isLetter == true
        else {
            throw error(
                "`\(name)` is not the name of a grader",
                remedy: "Letters, digits and `_`, beginning with a letter, so that arithmetic can "
                    + "use it.")
        }
        return name
    }

    /// The type comes first, so that a sentence about another key knows whose keys there are.
    private func graderFields(_ more: [String]) throws(InputError) -> (GraderType, FieldReader) {
        guard case .object(let members) = tree.value,
            let type = members.first(where: { $0.key == "type" })
        else {
            let type = try object("type").required("type").choice(of: GraderType.self)
            return (type, try FieldReader(self, known: ["type"] + more))
        }
        let field = SpecificationField(tree: type.value, path: "\(path).type")
        let choice = try field.choice(of: GraderType.self)
        return (choice, try FieldReader(self, known: ["type"] + more + choice.keys))
    }

    private func grader(_ type: GraderType, _ fields: FieldReader) throws(InputError) -> Grader {
        switch type {
        case .exact: .exact(ExactGrader(try comparison(fields)))
        case .regex: .regex(try regex(fields))
        case .json: .json(try json(fields))
        case .numeric:
            .numeric(
                NumericGrader(
                    after: try fields["after"]?.textOrTexts() ?? [],
                    tolerance: try fields.number("tolerance", in: 0...1e12, default: 0),
                    relativeTolerance: try fields.number(
                        "relativeTolerance", in: 0...1, default: 0)))
        case .multi: .multi(try multi(fields))
        case .judge:
            throw error(
                "a judge cannot be part of a total",
                remedy: "Name it as a grader of its own; a gate may require several metrics.")
        }
    }

    private func comparison(_ fields: FieldReader) throws(InputError) -> TextComparison {
        TextComparison(
            whiteSpace: try fields.choice("whitespace", default: .trim),
            ignoresCase: try fields["ignoreCase"]?.flag() ?? false)
    }

    private func regex(_ fields: FieldReader) throws(InputError) -> RegexGrader {
        let field = try fields.required("pattern")
        let text = try field.text()
        let pattern = try field.mistake { () throws(InputError) in try Pattern(text) }
        let group = try fields["group"]?.wholeNumber(in: 1...1_000)
        let extent = try fields.choice("match", default: RegexGrader.Extent.partial)
        let comparison = try comparison(fields)
        return try (fields["group"] ?? field).mistake { () throws(InputError) in
            try RegexGrader(pattern, extent: extent, group: group, comparison: comparison)
        }
    }

    private func json(_ fields: FieldReader) throws(InputError) -> JSONGrader {
        var chosen: [JSONGrader.Field] = []
        if fields["field"] != nil || fields["fields"] != nil {
            let (key, field) = try fields.oneOf("field", "fields")
            chosen =
                key == "field"
                ? [try field.jsonField()]
                : try field.list(max: SpecificationLimits.graderFields) {
                    one throws(InputError) in
                    try one.jsonField()
                }
            guard Set(chosen.map(\.path)).count == chosen.count, !chosen.isEmpty else {
                throw field.error(chosen.isEmpty ? "no field" : "a field comes twice")
            }
        }
        let schema = try fields["schema"].map { field throws(InputError) in try field.schema() }
        return JSONGrader(fields: chosen.isEmpty ? [.init("")] : chosen, schema: schema)
    }

    /// The part of JSON Schema that we know.
    func schema() throws(InputError) -> JSONSchema {
        let json = tree.json
        return try mistake { () throws(InputError) in try JSONSchema(json) }
    }

    /// `intent`, or `{path: tags, compare: set}`.
    private func jsonField() throws(InputError) -> JSONGrader.Field {
        guard case .object = tree.value else { return .init(try text()) }
        let fields = try object("path", "compare")
        return .init(
            try fields.required("path").text(),
            comparison: try fields.choice("compare", default: .equal))
    }

    private func multi(_ fields: FieldReader) throws(InputError) -> MultiGrader {
        let field = try fields.required("graders")
        let graders = try field.entries(max: SpecificationLimits.graders).map {
            entry throws(InputError) in
            _ = try SpecificationField(
                tree: SpecificationTree(value: .text(entry.key), place: entry.value.tree.place),
                path: entry.value.path
            ).graderName()
            let (type, inner) = try entry.value.graderFields([])
            guard type != .multi else { throw entry.value.error("a total of totals") }
            return NamedGrader(entry.key, try entry.value.grader(type, inner))
        }
        guard !graders.isEmpty else { throw field.error("no grader") }
        let names = graders.map(\.name)
        if let arithmetic = fields["calculate"] {
            if let weights = fields["weights"] {
                throw weights.error("only one of `weights` or `calculate` may be given")
            }
            let text = try arithmetic.text()
            let formula = try arithmetic.mistake { () throws(InputError) in
                try Formula(text, names: names)
            }
            return MultiGrader(graders, total: .formula(formula))
        }
        guard let weights = fields["weights"] else {
            return MultiGrader(graders, total: .weights(names.map { _ in 1 }))
        }
        let given = try FieldReader(weights, known: names)
        let numbers = try names.map { name throws(InputError) in
            try given.required(name).number(in: 0...1e6, isOpenBelow: true)
        }
        return MultiGrader(graders, total: .weights(numbers))
    }

    private func textOrTexts() throws(InputError) -> [String] {
        guard case .list = tree.value else { return [try text()] }
        return try list(max: SpecificationLimits.graderFields) { one throws(InputError) in
            try one.text()
        }
    }

    /// Says what `body` throws of this value, with its place.
    func mistake<Output>(
        _ body: () throws(InputError) -> Output
    ) throws(InputError) -> Output {
        do { return try body() } catch {
            let inner = error.field.map { "\(path).\($0)" } ?? path
            throw InputError(
                file: tree.place.file, line: tree.place.line, field: inner, error.problem,
                remedy: error.remedy)
        }
    }

    /// One of `names`, which are not known before the specification is read.
    func text(among names: [String]) throws(InputError) -> String {
        let name = try text()
        guard !names.contains(name) else { return name }
        let listed = names.map { "`\($0)`" }.joined(separator: ", ")
        throw error(
            "`\(name.prefix(80))` is none of \(listed)",
            remedy: nearest(to: name, among: names).map { "Did you mean `\($0)`?" } ?? "")
    }
}

// MARK: Writing

extension Marking {
    /// The value of `graders`, judges last.
    package var json: JSONValue { .array(graders.map(\.json) + judges.map(\.json)) }
}

extension NamedGrader {
    package var json: JSONValue { grader.json.merging(["name": .string(name)]) }
}

extension Grader {
    fileprivate var json: JSONValue {
        switch self {
        case .exact(let grader):
            JSONValue.object(grader.comparison.members).merging(["type": "exact"])
        case .regex(let grader):
            JSONValue.object(grader.comparison.members).merging([
                "type": "regex", "pattern": .string(grader.pattern.text),
                "match": .string(grader.extent.rawValue),
                "group": grader.group.map { .integer(Int64($0)) } ?? .null,
            ])
        case .json(let grader): grader.json
        case .numeric(let grader):
            [
                "type": "numeric", "after": .array(grader.after.map { .string($0) }),
                "tolerance": .number(grader.tolerance),
                "relativeTolerance": .number(grader.relativeTolerance),
            ]
        case .multi(let grader): grader.json
        }
    }
}

extension TextComparison {
    fileprivate var members: [String: JSONValue] {
        ["ignoreCase": .boolean(ignoresCase), "whitespace": .string(whiteSpace.rawValue)]
    }
}

extension JSONGrader {
    fileprivate var json: JSONValue {
        var members: [String: JSONValue] = ["type": "json", "schema": schema?.json ?? .null]
        if fields != [.init("")] {
            members["fields"] = .array(
                fields.map {
                    ["path": .string($0.path), "compare": .string($0.comparison.rawValue)]
                })
        }
        return .object(members)
    }
}

extension MultiGrader {
    fileprivate var json: JSONValue {
        let inner = graders.map { ($0.name, $0.grader.json) }
        var members: [String: JSONValue] = [
            "type": "multi",
            "graders": .object(Dictionary(inner, uniquingKeysWith: { first, _ in first })),
        ]
        switch total {
        case .formula(let formula): members["calculate"] = .string(formula.text)
        case .weights(let weights):
            members["weights"] = .object(
                Dictionary(
                    zip(graders.map(\.name), weights.map { .number($0) }),
                    uniquingKeysWith: { first, _ in first }))
        }
        return .object(members)
    }
}

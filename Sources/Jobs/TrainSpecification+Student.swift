package import FlywheelCore

extension TrainSpecification {
    /// What a task may say of its student's training beside where the weights begin.
    private static let settings = [
        "method", "schedule", "batch", "precision", "ranks", "resources", "validation",
        "checkpoint", "overlong", "retries",
    ]

    /// The training that a task's `student` describes: `base` or `new`, and of a specification what it
    /// wants otherwise than usual.
    ///
    /// Its name and data are for whoever submits it to fill in.
    package init(student field: SpecificationField) throws(InputError) {
        let fields = try FieldReader(
            field, known: ["base", "new", "adapter"] + Self.settings,
            instead: ["model": "`base: NAME` and `new: {...}` stand in `student` itself."])
        let (source, model) = try fields.oneOf("base", "new")
        let place = field.tree.place
        func member(_ key: String, _ value: SpecificationTree) -> SpecificationTree.Member {
            .init(key: key, place: place, value: value)
        }
        func fixed(_ key: String, _ value: JSONValue) -> SpecificationTree.Member {
            member(key, SpecificationTree(value, place: place))
        }
        func usual(_ key: String, _ value: JSONValue) -> SpecificationTree.Member {
            fields[key].map { member(key, $0.tree) } ?? fixed(key, value)
        }
        let document = [
            fixed("kind", "train"), fixed("name", "student"), fixed("data", "student@latest"),
            member("model", .init(value: .object([member(source, model.tree)]), place: place)),
            usual("method", ["type": "sft"]),
            usual(
                "schedule", ["epochs": 2, "learningRate": source == "base" ? 2.0e-4 : 3.0e-3]),
            usual("overlong", "drop"),
        ]
        let given = Set(document.map(\.key))
        let rest = Self.settings.filter { !given.contains($0) }.compactMap { key in
            fields[key].map { member(key, $0.tree) }
        }
        try self.init(
            SpecificationField(
                tree: .init(value: .object(document + rest), place: place), path: field.path))
        guard let own = fields["adapter"] else { return }
        guard adapter == .full else {
            throw own.error(
                "`method` names an adapter too", remedy: "Say it once: take one of them out.")
        }
        adapter = try Adapter(own)
        if case .new = self.model, adapter != .full {
            throw own.error(
                "an adapter is trained beside frozen weights, and those of a new model know nothing",
                remedy: "Write `base: NAME` in the place of `new`, or leave `adapter` out.")
        }
    }

    /// As a task's `student` has it.
    package var student: [String: JSONValue] {
        guard case .object(var members) = json, case .object(let model)? = members["model"] else {
            return [:]
        }
        members = members.filter { Self.settings.contains($0.key) }
        if case .object(var method)? = members["method"] {
            method["adapter"] = nil
            members["method"] = .object(method)
        }
        if adapter != .full { members["adapter"] = adapter.json }
        return members.merging(model) { _, source in source }
    }
}

import Captures
import FlywheelCore
import Foundation
import Graders
import Jobs
import Stores
import Tasks

/// Looks at what a task file names before anything of it is applied: what cannot be meant is refused, what
/// may come later is said.
struct TaskCheck {
    let database: Database
    let document: TaskDocument
    /// What a turn will need that is not there yet, as sentences.
    private(set) var notes: [String] = []

    init(_ document: TaskDocument, _ database: Database) {
        self.database = database
        self.document = document
    }

    private var task: TaskSpecification { document.task }

    /// Throws the first mistake, with its place.
    mutating func run() async throws {
        try await checkName()
        try await checkModel(.upstream(task.generalist), at: "generalist")
        if task.teacher != .upstream(task.generalist) {
            try await checkModel(task.teacher, at: "teacher")
        }
        for judge in task.marking.judges.map(\.judge) where !judge.upstream.isEmpty {
            try await checkModel(
                .upstream(UpstreamModel(upstream: judge.upstream, model: judge.model)),
                at: "graders")
        }
        try await checkBase()
        try await checkGolden()
        noteSchema()
        if let sentence = task.teacherUnasked { notes.append(sentence) }
    }

    /// Calls that name a model must not become a task's.
    private func checkName() async throws {
        let lister = try await database.book.upstreams().first {
            ($0["models"]?.array ?? []).contains { $0.string == task.name }
        }
        guard let lister else { return }
        throw document.error(
            at: "task",
            "`\(task.name)` is a model of the upstream `\(lister.cell("name"))`, and all calls that name "
                + "it would become the task's",
            remedy: "Call the task something else.")
    }

    private mutating func checkModel(_ model: AnyModel, at field: String) async throws {
        let name: String
        switch model {
        case .upstream(let model) where model.upstream != UpstreamModel.ownUpstream:
            _ = try await database.upstream(of: model, at: field) { field, problem, remedy in
                document.error(at: field, problem, remedy: remedy)
            }
            return
        case .upstream(let model): name = model.model
        case .registry(let model): name = model.description
        }
        guard try await database.registry.model(named: name) == nil else { return }
        notes.append(
            "\(field): there is no model `\(name)` yet, so nobody answers for it.\(try await meant(name))"
        )
    }

    private mutating func checkBase() async throws {
        guard case .base(let base) = task.student?.training.model else { return }
        if case .folder(let path) = base {
            guard !FileManager.default.fileExists(atPath: path) else { return }
            notes.append(
                "student.base: there is no folder `\(path)` here, where a turn would read it.")
        } else if try await database.registry.model(named: base.description) == nil {
            let hint = try await meant(base.description)
            throw document.error(
                at: "student.base", "there is no model `\(base)`",
                remedy: (hint.isEmpty ? "" : hint.dropFirst() + " ")
                    + "`flywheel models import FOLDER --name NAME` adds one.")
        }
    }

    private mutating func checkGolden() async throws {
        guard let golden = task.golden else { return }
        if case .file(let path) = golden {
            throw document.error(
                at: "golden", "`\(path)` is a file, where the name of a golden set is wanted",
                remedy: "`flywheel data import \(path) --golden --name NAME` gives it one.")
        }
        let known = try await database.registry.datasets()
        let name = golden.description.split(separator: "@").first.map(String.init) ?? ""
        if let record = known.last(where: { $0.name == name }) {
            guard !record.isGolden else { return }
            throw document.error(
                at: "golden", "`\(name)` is a dataset, and no golden set",
                remedy:
                    "What a model is examined on must not be trained on: `flywheel data import FILE "
                    + "--golden --name NAME`, or `flywheel tasks review`.")
        }
        let meant = nearest(to: name, among: Set(known.filter(\.isGolden).map(\.name)))
        notes.append(
            "golden: there is no golden set `\(name)` yet; `flywheel tasks review \(task.name)` makes one of "
                + "calls, `flywheel data import FILE --golden --name \(name)` takes one up."
                + (meant.map { " Did you mean `\($0)`?" } ?? ""))
    }

    /// What upstreams may understand and nothing here checks.
    private mutating func noteSchema() {
        guard let schema = task.output?.schema,
            let json = try? JSONValue(parsing: Array(schema.utf8))
        else { return }
        do { _ = try JSONSchema(json) } catch {
            notes.append(
                "output.schema\(error.field.map { ".\($0)" } ?? ""): \(error.problem), so upstreams are "
                    + "asked for it, and no answer can be checked by it. \(error.remedy)")
        }
    }

    private func meant(_ name: String) async throws -> String {
        let known = try await database.registry.models().flatMap { [$0.name, $0.title] }
        return nearest(to: name, among: Set(known)).map { " Did you mean `\($0)`?" } ?? ""
    }
}

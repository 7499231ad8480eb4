import Curation
import FlywheelCore
import Foundation
import Jobs
import Stores

/// A job of kind `build`: captures of a task become a dataset, as `flywheel data build` makes it.
struct BuildJob {
    let specification: BuildSpecification
    let desk: AttemptDesk
    let database: Database

    /// What the job's result says, the pieces being in the attempt's folder; nil where the worker asked
    /// to leave.
    ///
    /// Throws `InputError` where nothing is left to learn.
    func run() async throws -> JSONValue? {
        try desk.report(.started(ranks: 1, numericProfile: "", stepsTotal: 0))
        try desk.report(.progress(phase: "curating", done: 0, total: 1))
        let selection = try await selection()
        let made = try await DatasetBuilder(
            database: database, selection: selection, rules: try CurationRules(specification),
            name: specification.envelope.name
        ).make()
        guard desk.request == nil else { return nil }
        for (index, piece) in made.pieces.enumerated() {
            try BuiltPieces.write(piece, of: made, at: index, in: desk.plan.attemptFolder)
        }
        try desk.report(.progress(phase: "curating", done: 1, total: 1))
        let count: (Int) -> JSONValue = { .integer(Int64($0)) }
        return [
            "task": .string(specification.task), "captures": count(made.card.captures),
            "rows": .object(made.card.splits.mapValues(count)),
            "targets": .object(
                Dictionary(
                    uniqueKeysWithValues: made.card.targets.map {
                        ($0.key.rawValue, count($0.value))
                    })),
            "omitted": .object(
                Dictionary(
                    uniqueKeysWithValues: made.card.omitted.map {
                        ($0.key.rawValue, count($0.value))
                    })),
            "since": selection.since.map { .string($0.formatted(.iso8601)) } ?? .null,
            "until": selection.until.map { .string($0.formatted(.iso8601)) } ?? .null,
        ]
    }

    /// How long ago counts from the submission, and what comes or is said after the first attempt began is
    /// for the next job: so all attempts look at the same captures.
    private func selection() async throws -> CurationBook.Selection {
        let moments = try await database.curation.moments(of: desk.job)
        var selection = CurationBook.Selection(task: specification.task)
        selection.since = try Moment.read(
            specification.since, "since", before: moments.submitted)
        selection.until =
            try Moment.read(specification.until, "until", before: moments.submitted)
            ?? moments.begun
        selection.models = specification.models
        selection.heardUntil = moments.begun
        return selection
    }
}

extension CurationRules {
    init(_ build: BuildSpecification) throws(InputError) {
        self.init(form: Form(rawValue: build.form.rawValue) ?? .answers)
        signals = try build.signals.map { text throws(InputError) in try SignalFilter(text) }
        teachers = Set(build.teachers)
        trustMin = build.trust ?? trustMin
        answerWeight = build.answerWeight
        sourceShareMax = build.sourceShare ?? sourceShareMax
        near = build.near
        seed = UInt64(build.seed)
        splits = build.splits.map { Split(name: $0.name, share: $0.share) }
    }
}

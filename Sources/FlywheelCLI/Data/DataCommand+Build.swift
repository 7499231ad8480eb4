public import ArgumentParser
public import Curation
import FlywheelCore
import Foundation
import Jobs
import Stores
import Tasks

extension DataCommand {
    struct Build: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a dataset of a task's captures and what was said of them.",
            discussion: """
                Corrections stand above answers, and answers that were rejected are left out. Copies, \
                exact and near, are one row. Episodes and groups of copies stay whole: what is held \
                out is in NAME-validation. Rows weigh what their source is trusted, and no source has \
                more than its share. Copies of golden rows are left out. The same captures and options \
                make the same dataset, and every row knows its captures (view dataset_captures).
                """)

        @Argument(help: "The task.") var task: String
        @Option(help: "The dataset's name; the task's without it.") var name: String?
        @Option(help: "answers to learn, pairs to prefer, or prompts with references.")
        var form = CurationRules.Form.answers
        @Option(
            help: "Captures since a day, a moment (2026-01-31T08:00:00Z), or 90m, 12h, 30d ago.")
        var since: String?
        @Option(help: "Captures before it; as --since.") var until: String?
        @Option(name: .customLong("model"), help: "Captures that this model answered; repeatable.")
        var models: [String] = []
        @Option(
            name: .customLong("signal"),
            help: "Captures with correction, accepted, score>=0.8, NAME=VALUE or none; repeatable.")
        var signals: [String] = []
        @Option(
            name: .customLong("teacher"),
            help: "Of answers that nobody vouches for, learn this model's alone; repeatable.")
        var teachers: [String] = []
        @Option(
            help: """
                Reactions of sources trusted less count for nothing; unless said otherwise, the task's \
                sources.trustMin, or 0.5.
                """)
        var trust: Double?
        @Option(help: "What answers weigh of which nothing was said.")
        var answerWeight = CurationRules(form: .answers).answerWeight
        @Option(
            help: """
                What one source may have at most, of the weight of all rows; unless said otherwise, \
                the task's sources.shareMax (0.3 where its file says nothing), or 0.25 for what is no task.
                """)
        var sourceShare: Double?
        @Option(help: "How much near copies resemble each other: over 0, at most 1.")
        var near = CurationRules(form: .answers).near
        @Option(help: "The share that is held out as NAME-validation.") var validation = 0.1
        @Option(help: "The share that is held out as NAME-test.") var test = 0.0
        @Option(help: "Chooses what is held out.") var seed: UInt64 = 0
        @OptionGroup var output: OutputOptions

        func validate() throws {
            let shares = [
                ("--trust", trust ?? 0), ("--answer-weight", answerWeight),
                ("--validation", validation),
                ("--test", test),
            ]
            for (option, value) in shares where !(0...1).contains(value) {
                throw ValidationError("\(option): from 0 to 1.")
            }
            for (option, value) in [("--near", near), ("--source-share", sourceShare ?? 1)]
            where !(value > 0 && value <= 1) {
                throw ValidationError("\(option): over 0, at most 1.")
            }
            guard validation + test < 1 else {
                throw ValidationError("--validation and --test leave nothing to learn.")
            }
        }

        func run(on database: Database) async throws {
            let name = name ?? task
            guard SpecificationName.isValid(name) else {
                throw InputError(
                    field: "--name", "`\(name)` is not a name", remedy: SpecificationName.rule)
            }
            var selection = CurationBook.Selection(task: task)
            selection.since = try Moment.read(since, "--since")
            selection.until = try Moment.read(until, "--until")
            selection.models = models
            let (built, card) = try await DatasetBuilder(
                database: database, selection: selection, rules: try await rules(database),
                name: name
            ).build()
            try output.print(
                [
                    "datasets": .array(try built.map { try JSONValue(encoding: $0.record) }),
                    "card": try JSONValue(encoding: card),
                ]
            ) {
                guard Terminal.output.isInteractive else {
                    for piece in built { print("\(piece.record.name)@\(piece.record.digest)") }
                    return
                }
                for piece in built {
                    print(
                        "\(piece.record.title): \(Formatting.count(piece.record.rows)) rows, "
                            + "\(piece.record.digest)")
                }
                card.facts.show()
            }
        }

        private func rules(_ database: Database) async throws -> CurationRules {
            var rules = CurationRules(form: form)
            let sources = try await database.tasks.task(task)?.specification.sources
            rules.signals = try signals.map { text throws(InputError) in try SignalFilter(text) }
            rules.teachers = Set(teachers)
            rules.trustMin = trust ?? sources?.trustMin ?? rules.trustMin
            rules.answerWeight = answerWeight
            rules.sourceShareMax = sourceShare ?? sources?.shareMax ?? rules.sourceShareMax
            rules.near = near
            rules.seed = seed
            rules.splits = [
                CurationRules.Split(name: "validation", share: validation),
                CurationRules.Split(name: "test", share: test),
            ].filter { $0.share > 0 }
            return rules
        }
    }
}

extension CurationRules.Form: ExpressibleByArgument {}

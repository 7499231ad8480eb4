import ArgumentParser
import Artifacts
import Curation
import Datasets
import FlywheelCore
import Foundation
import Jobs
import Stores
import Tasks
import Tokenizers

extension TasksCommand {
    struct Review: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a golden set by hand, at the keyboard.",
            discussion: """
                Asks about a sample of the task's captures, of every kind its share, of which nothing \
                has learned yet. The model's answer is hidden until it is asked for, so that it leads \
                nobody. Every decision is kept at once: leave with q and come back whenever you like. \
                What is frozen is a golden set: neither it nor copies of its questions are trained on.
                """)

        @Argument(help: "The task.") var task: String
        @Option(help: "The golden set's name; the task's own, or TASK-golden, without it.")
        var name: String?
        @Option(
            help: "Captures to ask about: 50, or those of the open review, which grows to more.")
        var rows: Int?
        @Option(help: "Chooses them.") var seed: UInt64 = 0
        @Flag(help: "Freeze what is decided, and ask nothing.") var freeze = false
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (1...10_000).contains(rows ?? 1) else {
                throw ValidationError("--rows: from 1 to 10000.")
            }
        }

        func run(on database: Database) async throws {
            let name = try await golden(of: database)
            guard !freeze else {
                guard let review = try await database.reviews.open(into: name) else {
                    throw InputError(
                        field: "--freeze", "no review of `\(name)` is open",
                        remedy: "Nothing was frozen. `flywheel tasks review \(task)` begins one.")
                }
                return try await freeze(review, in: database)
            }
            guard let keyboard = Keyboard.take() else {
                throw InputError(
                    "a review is done at a keyboard, and this is no terminal",
                    remedy: "Nothing was changed. Run it in a terminal; --freeze needs none.")
            }
            let (review, note) = try await review(into: name, of: database)
            let ending = try await ask(review, at: keyboard, of: database, first: note)
            if ending == .freeze { try await freeze(review, in: database) }
        }

        private func golden(of database: Database) async throws -> String {
            if let name {
                guard SpecificationName.isValid(name) else {
                    throw InputError(
                        field: "--name", "`\(name)` is not a name", remedy: SpecificationName.rule)
                }
                return name
            }
            return switch try await database.tasks.task(task)?.specification.golden {
            case .latest(let name)?, .version(let name, _)?, .number(let name, _)?: name
            case .file?, nil: "\(task)-golden"
            }
        }

        /// The open review of that name, with what became of `--rows`, or a new one.
        private func review(
            into name: String, of database: Database
        ) async throws -> (review: Int, note: String) {
            if let open = try await database.reviews.open(into: name) {
                return (open, try await extend(open, of: database))
            }
            let (sample, examples) = try await sample(rows ?? 50, of: database)
            guard !sample.items.isEmpty else {
                throw InputError(
                    field: "TASK",
                    "of the \(examples) latest captures of `\(task)` none can be asked about",
                    remedy:
                        "Nothing was changed. What a dataset has learned from is not golden; take "
                        + "the calls that come next.")
            }
            let review = try await database.reviews.begin(
                sample, task: task, into: name, by: NSUserName())
            return (review, "")
        }

        /// Lets an open review grow to `--rows`; what became of that, where it is more or fewer.
        private func extend(_ review: Int, of database: Database) async throws -> String {
            let items = try await database.reviews.items(of: review)
            guard let rows, rows != items.count else { return "" }
            guard rows > items.count else {
                return """
                    This review asks about \(items.count) captures already, so --rows \(rows) left it as it is: \
                    f freezes what is decided.
                    """
            }
            let (sample, _) = try await sample(
                rows - items.count, barring: Set(items.map(\.capture)), of: database)
            let added = try await database.reviews.extend(review, by: sample)
            let now = items.count + added
            return now < rows
                ? "Of --rows \(rows) there are \(now): no other capture can be asked about."
                : "\(added) captures were added, as --rows \(rows) says."
        }

        private func sample(
            _ count: Int, barring barred: Set<String> = [], of database: Database
        ) async throws -> (sample: ReviewSample, examples: Int) {
            let examples = try await database.curation.examples(.init(task: task), newest: 5_000)
            let learned = try await database.curation.learnedCaptures()
            let sample = ReviewSample(
                examples, barring: learned.union(barred), count: count, seed: seed)
            return (sample, examples.count)
        }

        private func ask(
            _ review: Int, at keyboard: borrowing Keyboard, of database: Database,
            first note: String
        ) async throws -> ReviewSession.Step {
            var session = ReviewSession(
                try await database.reviews.session(of: review), hint: note)
            while true {
                ReviewScreen(session, task: task).draw()
                switch session.press(keyboard.next()) {
                case .show: continue
                case .keep(let index):
                    try await database.reviews.keep(
                        session.items[index], of: review, by: NSUserName())
                case .freeze: return .freeze
                case .quit:
                    print(
                        "\n\(session.decided) of \(session.items.count) decided and kept. The same "
                            + "command goes on from here.")
                    return .quit
                }
            }
        }

        private func freeze(_ review: Int, in database: Database) async throws {
            let items = try await database.reviews.session(of: review)
            let record = try await database.freeze(review, items, of: task)
            try output.print(try JSONValue(encoding: record)) {
                print(
                    "\(record.title): \(Formatting.count(record.rows)) golden rows, "
                        + "\(record.digest)")
            }
        }
    }
}

extension Database {
    /// Makes the golden set of what was decided.
    fileprivate func freeze(
        _ review: Int, _ items: [ReviewSession.Item], of task: String
    ) async throws -> DatasetRecord {
        let golden = items.filter { $0.decision.isGolden }.sorted { $0.capture < $1.capture }
        guard !golden.isEmpty else {
            throw InputError(
                "nothing is decided yet that could be golden",
                remedy: "Nothing was frozen. Decide some first.")
        }
        let rows = golden.map(\.row)
        let artifacts = try self.artifacts
        let (digest, bytes) = try artifacts.store.add(DatasetFile.jsonl(rows))
        try await artifacts.keep([digest])
        let name = try await reviews.name(of: review)
        return try await reviews.freeze(
            review,
            as: NewDataset(
                name: name, digest: digest, shape: rows[0].content.shape.rawValue, rows: rows.count,
                bytes: Int64(bytes), isGolden: true,
                card: try JSONValue(encoding: DatasetCard(of: rows)),
                source: "review \(review) of \(task)"),
            labels: Dictionary(
                uniqueKeysWithValues: zip(golden, rows).map {
                    ($0.capture, $1.content.answer ?? "")
                }))
    }
}

extension ReviewBook {
    /// The items of a review as they are asked.
    fileprivate func session(of review: Int) async throws -> [ReviewSession.Item] {
        try await items(of: review).map { item in
            let request = try ChatRequest(item.request)
            return ReviewSession.Item(
                position: item.position, capture: item.capture, stratum: item.stratum,
                question: request.messages, tools: request.tools,
                answer: try ChatAnswer.message(ofResponse: item.response),
                decision: ReviewSession.Decision(item.decision, item.correction),
                wasSeen: item.wasSeen)
        }
    }

    fileprivate func keep(
        _ item: ReviewSession.Item, of review: Int, by person: String
    ) async throws {
        guard let decision = item.decision else { return }
        try await keep(
            decision.word, correction: decision.correction, wasSeen: item.wasSeen,
            at: item.position, of: review, by: person)
    }
}

extension ReviewSession.Decision {
    fileprivate init?(_ word: String?, _ correction: String?) {
        switch (word, correction) {
        case ("right"?, _): self = .right
        case ("skipped"?, _): self = .skipped
        case (_, let correction?): self = .corrected(correction)
        default: return nil
        }
    }

    fileprivate var word: String {
        switch self {
        case .right: "right"
        case .corrected: "corrected"
        case .skipped: "skipped"
        }
    }

    fileprivate var correction: String? {
        if case .corrected(let text) = self { text } else { nil }
    }
}

extension ReviewSession.Item {
    /// A golden row: the question with what is right.
    fileprivate var row: DatasetRow {
        var right = answer
        if case .corrected(let text) = decision {
            right = .init(role: .assistant, content: text)
        }
        return DatasetRow(
            .chat(question + [right], tools: tools), id: capture,
            fields: ["stratum": .string(stratum)])
    }
}

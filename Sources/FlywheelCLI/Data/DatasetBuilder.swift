import Artifacts
import Captures
import Curation
import Datasets
import FlywheelCore
import Jobs
import Stores
import Tasks

/// Makes datasets of a task's captures.
struct DatasetBuilder {
    let database: Database
    var selection: CurationBook.Selection
    var rules: CurationRules
    /// Of what is learned; splits are called after it: `NAME-validation`.
    var name: String

    /// Calls of the task that the rows are compared with, the latest.
    private static let recentMax = 1_000

    struct Built {
        /// Nil for what is learned.
        var split: String?
        var record: DatasetRecord
    }

    /// What came of the captures, before any of it is registered.
    struct Made {
        /// Those that have rows; what is learned comes first.
        var pieces: [CuratedDataset.Piece]
        var card: CurationCard
        /// The golden sets of which no row is a copy.
        var golden: [DatasetRecord]

        func card(of piece: CuratedDataset.Piece) throws -> JSONValue {
            try JSONValue(encoding: DatasetCard(of: piece.rows))
                .merging(["curation": try JSONValue(encoding: card)])
        }
    }

    /// Builds, and registers every piece that has rows; what is learned comes first.
    ///
    /// The same captures, feedback and rules are the same digests. Throws `InputError` where nothing is
    /// left to learn, saying what became of the captures.
    func build() async throws -> (built: [Built], card: CurationCard) {
        let made = try await make()
        var built: [Built] = []
        for piece in made.pieces {
            built.append(Built(split: piece.split, record: try await add(piece, made)))
        }
        return (built, made.card)
    }

    /// As `build`, and registers nothing.
    func make() async throws -> Made {
        let guarding = try GoldenGuard(database)
        let golden = try await guarding.sets()
        var examples = try await database.curation.examples(selection)
        if try await label(examples, golden, guarding) {
            // Who spoke of them is believed more, or less.
            examples = try await database.curation.examples(selection)
        }
        try checkSignals(in: examples)
        let dataset = try await curate(examples, golden, guarding)
        guard let learned = dataset.pieces.first, !learned.rows.isEmpty else {
            throw nothing(examples, dataset.omitted)
        }
        let recent = try await database.curation.examples(
            .init(task: selection.task), newest: Self.recentMax)
        let card = CurationCard(
            task: selection.task, dataset, of: examples, rules, golden: golden.map(\.title),
            recent: recent)
        return Made(pieces: dataset.pieces.filter { !$0.rows.isEmpty }, card: card, golden: golden)
    }

    /// Refuses a signal that is no kind of feedback and that nobody has ever given.
    private func checkSignals(in examples: [CapturedExample]) throws(InputError) {
        let heard = Set(examples.flatMap(\.reactions).map(\.name))
        let known = heard.union(FeedbackName.allCases.map(\.rawValue)).union(["none"])
        guard !examples.isEmpty,
            let stray = rules.signals.first(where: { !known.contains($0.name) })
        else { return }
        let listed = heard.sorted().map { "`\($0)`" }.joined(separator: ", ")
        throw InputError(
            field: "--signal",
            "`\(stray.name)` was said of none of the \(examples.count) captures, and is no kind of feedback",
            remedy: "Nothing was built. "
                + (nearest(to: stray.name, among: known).map { "Did you mean `\($0)`?" }
                    ?? (heard.isEmpty
                        ? "Nothing was said of them yet; `none` chooses them."
                        : "There are \(listed)."))
        )
    }

    /// Writes down what is right of those calls that ask what the newest version of the task's golden set
    /// asks; whether that says something new.
    private func label(
        _ examples: [CapturedExample], _ sets: [DatasetRecord], _ guarding: GoldenGuard
    ) async throws -> Bool {
        guard let golden = try await database.tasks.task(selection.task)?.specification.golden,
            // A task may name a golden set that nobody has made yet.
            let set = sets.last(where: { golden.means($0) })
        else { return false }
        let labels = GoldenAnswers(try await guarding.rows(of: set)).labels(of: examples)
        return try await database.curation.addGoldenLabels(labels, author: set.title) > 0
    }

    /// Curates until no row is a copy of a golden one, as a comparison of the finished rows finds it:
    /// what counts as a prompt's common wording depends on who is compared.
    private func curate(
        _ examples: [CapturedExample], _ sets: [DatasetRecord], _ guarding: GoldenGuard
    ) async throws -> CuratedDataset {
        var golden = try await guarding.rows(of: sets)
        while true {
            let dataset = CuratedDataset(examples, rules, golden: golden)
            var barred: Set<String> = []
            for piece in dataset.pieces {
                for set in sets {
                    let others = try await guarding.rows(of: set)
                    let areCopies = DatasetComparison.areCopies(piece.rows, of: others)
                    for (row, isCopy) in zip(piece.rows, areCopies) where isCopy {
                        barred.insert(row.id)
                    }
                }
            }
            guard !barred.isEmpty else { return dataset }
            golden.captures.formUnion(barred)
        }
    }

    private func add(
        _ piece: CuratedDataset.Piece, _ made: Made
    ) async throws -> DatasetRecord {
        let artifacts = try database.artifacts
        let (digest, bytes) = try artifacts.store.add(DatasetFile.jsonl(piece.rows))
        try await artifacts.keep([digest])
        let title = piece.split.map { "\(name)-\($0)" } ?? name
        let record = try await database.curation.add(
            NewDataset(
                name: title, digest: digest, shape: piece.rows[0].content.shape.rawValue,
                rows: piece.rows.count, bytes: Int64(bytes), isGolden: false,
                card: try made.card(of: piece), source: "captures of \(selection.task)"),
            origins: piece.origins)
        for set in made.golden {
            try await database.curation.recordGoldenCopies(
                of: digest, in: set.digest, exact: 0, near: 0)
        }
        return record
    }

    private func nothing(
        _ examples: [CapturedExample], _ omitted: [Omission: Int]
    ) -> InputError {
        guard !examples.isEmpty else {
            return InputError(
                field: "TASK", "`\(selection.task)` has no captures that were asked for",
                remedy:
                    "Nothing was built. `flywheel sql 'SELECT task, count(*) FROM captures GROUP "
                    + "BY task'` shows what there is; see also --since, --until and --model.")
        }
        let reasons = Omission.allCases.compactMap { reason in
            omitted[reason].map { "\($0): \(reason.sentence)" }
        }
        return InputError(
            "of \(examples.count) captures none became a row to learn from ("
                + reasons.joined(separator: "; ") + ")",
            remedy: "Nothing was built.")
    }
}

extension DatasetReference {
    /// Whether it is a reference to `record`, or, without a version, to any of that name.
    fileprivate func means(_ record: DatasetRecord) -> Bool {
        switch self {
        case .latest(let name): name == record.name
        case .version(let name, let digest): name == record.name && digest == record.digest
        case .number(let name, let version): name == record.name && version == record.version
        case .file: false
        }
    }
}

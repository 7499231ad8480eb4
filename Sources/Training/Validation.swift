import Collectives
public import Datasets
public import FlywheelCore
import Models
import Tokenizers

/// Held-out rows, packed in the order of their file, and how to score a model on them.
public struct Validation: Sendable {
    public let examples: Examples
    /// The sum of all loss weights.
    public let denominator: Double
    private let packing: Packing

    public init(
        _ documents: [TokenizedDocument], rowTokens: Int, overlong: Overlong
    ) throws(InputError) {
        try self.init(
            Examples(documents, rowTokens: rowTokens, overlong: overlong), rowTokens: rowTokens)
    }

    /// Throws `InputError` where there is nothing to score.
    public init(_ examples: Examples, rowTokens: Int) throws(InputError) {
        self.examples = examples
        let measures = (0..<examples.count).map { examples.measure(of: $0) }
        denominator = measures.reduce(0) { $0 + $1.weight }
        guard denominator > 0, denominator.isFinite else {
            throw InputError(
                field: "validation",
                "there is nothing to validate on: \(examples.report.sentence)",
                remedy: "Nothing was trained. Add held-out rows, or leave validation out.")
        }
        packing = Packing(
            lengths: measures.map(\.tokens), order: Array(measures.indices), rowTokens: rowTokens)
    }

    public var report: PackingReport { examples.report }
    /// Rows that were scored.
    public var count: Int { report.documents - report.dropped - report.unsupervised }

    /// What all rows come to: the same bits for any number of ranks and threads, since each row's numbers
    /// are rounded to fixed point before they are added.
    ///
    /// - Parameter answers: the loss over answers; nil takes the negative log-likelihood of tokens.
    func tally(
        _ world: any Communicator, crew: Crew, _ answers: AnswerLoss?,
        progress: (_ done: Int, _ total: Int) throws -> Void
    ) throws -> Tally {
        let block = TrainingPlan.lanes(of: world.rank, ranks: world.ranks, lanes: packing.rows)
        let sum = GradientSum(count: 0)
        // In bites, so that the watchdog hears of long validations.
        for start in stride(from: block.lowerBound, to: block.upperBound, by: 64) {
            let bite = start..<min(start + 64, block.upperBound)
            crew.each(bite.count) { [self] index, learner in
                let indices = packing.row(bite.lowerBound + index).map(Int.init)
                let row = PackedRow(
                    indices.lazy.flatMap { examples.documents(of: $0) }
                        .map { examples.documents[$0] })
                let tally =
                    answers?.weigh(row, indices, scores: learner.scores(of: row), scale: 0).tally
                    ?? Tally(loss: learner.lossSum(of: row))
                sum.add(tally, rows: packing.rows)
            }
            try progress(bite.upperBound - block.lowerBound, block.count)
        }
        try sum.reduce(world)
        guard sum[.beyond] == 0 else {
            throw TrainingError.validationDiverged(rows: Int(sum[.beyond]))
        }
        return sum.tally
    }

    /// Whether the row with this content is held out, where about `share` of all rows are.
    ///
    /// A function of the content and `seed` alone: adding, removing or reordering other rows moves none.
    public static func isHeldOut(_ row: DatasetRow, share: Double, seed: UInt64 = 0) -> Bool {
        func key(_ messages: [ChatMessage]) -> String {
            messages.map { "\($0.role.rawValue)\u{1}\($0.content)" }.joined(separator: "\u{2}")
        }
        let key: String =
            switch row.content {
            case .chat(let messages, _), .labelled(let messages, _, _): key(messages)
            // The same question is on one side, whatever its answers are.
            case .preference(let messages, _, _, _): key(messages)
            case .completion(let prompt, let completion): prompt + "\u{2}" + completion
            case .text(let text): text
            case .tokens(let ids): ids.map(String.init).joined(separator: " ")
            }
        let hash = UInt64(Digest(of: "\(seed)\u{3}" + key).hex.prefix(13), radix: 16) ?? 0
        return Double(hash) < share * 0x1p52
    }
}

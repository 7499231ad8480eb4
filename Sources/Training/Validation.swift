import Collectives
public import Datasets
public import FlywheelCore
import Models
import Synchronization
import Tensors
import Tokenizers

/// Held-out rows, packed in the order of their file, and how to score a model on them.
public struct Validation: Sendable {
    public let report: PackingReport
    /// The sum of all loss weights.
    public let denominator: Double
    private let rows: [PackedRow]

    /// Throws `InputError` where there is nothing to score.
    public init(
        _ documents: [TokenizedDocument], rowTokens: Int, overlong: Overlong
    ) throws(InputError) {
        let fitted = FittedDocuments(documents, rowTokens: rowTokens, overlong: overlong)
        report = fitted.report
        denominator = fitted.documents.reduce(0.0) { sum, document in
            document.weights.reduce(sum) { $0 + Double($1) }
        }
        guard denominator > 0, denominator.isFinite else {
            throw InputError(
                field: "validation",
                "there is nothing to validate on: \(fitted.report.sentence)",
                remedy: "Nothing was trained. Add held-out rows, or leave validation out.")
        }
        let packing = Packing(
            lengths: fitted.documents.map(\.tokens.count),
            order: Array(fitted.documents.indices), rowTokens: rowTokens)
        rows = (0..<packing.rows).map { row in
            PackedRow(packing.row(row).lazy.map { fitted.documents[Int($0)] })
        }
    }

    /// Documents that were scored.
    public var count: Int { report.documents - report.dropped - report.unsupervised }

    /// The mean negative log-likelihood per unit of weight, in nats: the same bits for any number of
    /// ranks and threads, since each row's loss is rounded to fixed point before it is added.
    func loss(
        _ world: any Communicator, crew: Crew, progress: (_ done: Int, _ total: Int) throws -> Void
    ) throws -> Double {
        let block = TrainingPlan.lanes(of: world.rank, ranks: world.ranks, lanes: rows.count)
        // Loss, and rows whose loss is not a number.
        var sums: [Int64] = [0, 0]
        // In bites, so that the watchdog hears of long validations.
        for start in stride(from: block.lowerBound, to: block.upperBound, by: 64) {
            let bite = start..<min(start + 64, block.upperBound)
            let units = Mutex<[Int64?]>([])
            unsafe crew.each(bite.count) { [rows] index, learner, _ in
                let loss = learner.lossSum(of: rows[bite.lowerBound + index])
                units.withLock { $0.append(FixedPoint.loss.fixed(loss, terms: rows.count)) }
            }
            for row in units.withLock({ $0 }) {
                if let row { sums[0] += row } else { sums[1] += 1 }
            }
            try progress(bite.upperBound - block.lowerBound, block.count)
        }
        try unsafe sums.withUnsafeMutableBufferPointer { try unsafe world.allreduceSum($0) }
        guard sums[1] == 0 else { throw TrainingError.validationDiverged(rows: Int(sums[1])) }
        return FixedPoint.loss.value(sums[0]) / denominator
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

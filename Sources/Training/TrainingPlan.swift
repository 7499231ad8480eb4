public import Datasets
public import FlywheelCore
public import Models

/// What is learned from, in which rows and steps: fixed before the first step, equal on every rank.
///
/// Nothing here depends on ranks, clocks or crashes. Documents become rows (packed), rows become lanes,
/// lanes become steps; ranks only decide where a lane is computed.
public struct TrainingPlan: Sendable {
    /// The shape of a step and the order of the data.
    public struct Batch: Sendable, Equatable {
        public enum Order: String, Sendable, Codable, CaseIterable { case shuffled, file }

        /// A power of two, at least as many as there will ever be ranks.
        public var lanes: Int
        /// Rows that a lane computes one after the other.
        public var laneRows: Int
        public var rowTokens: Int
        public var order: Order
        public var seed: UInt64

        public init(
            lanes: Int, laneRows: Int = 1, rowTokens: Int, order: Order = .shuffled,
            seed: UInt64 = 0
        ) {
            self.lanes = lanes
            self.laneRows = laneRows
            self.rowTokens = rowTokens
            self.order = order
            self.seed = seed
        }
    }

    /// How long to train.
    public enum Length: Sendable, Equatable {
        /// Of the last, broken epoch the first share of its steps, rounded up.
        case epochs(Double)
        case steps(Int)
    }

    /// One optimizer update: which rows, and what their losses are divided by.
    public struct Step: Sendable, Equatable {
        /// Counts from 1.
        public let number: Int
        /// From 0.
        public let epoch: Int
        /// Rows of the epoch, lane after lane; at the end of an epoch the last lanes may be short or empty.
        public let rows: Range<Int>
        /// The sum of all loss weights of the step, of all ranks: the one denominator.
        ///
        /// Weights of tokens where tokens are learned, of examples where answers are compared.
        public let denominator: Double
        public let tokens: Int
        /// Positions with a weight other than 0.
        public let supervisedTokens: Int
    }

    public let batch: Batch
    /// How much of a taught position's loss is the teacher's; 0 learns the tokens alone.
    public let mix: Float
    public let examples: Examples
    public let steps: [Step]
    private let epochs: [Packing]

    /// Lays out a training on documents, each by itself.
    ///
    /// Throws `InputError` where nothing, or in some step nothing, would be learned.
    public init(
        _ documents: [TokenizedDocument], batch: Batch, overlong: Overlong, length: Length,
        mix: Float = 0
    ) throws(InputError) {
        try batch.validate()
        try self.init(
            Examples(documents, rowTokens: batch.rowTokens, overlong: overlong), batch: batch,
            length: length, mix: mix)
    }

    /// Lays out the whole training.
    ///
    /// Throws `InputError` where nothing, or in some step nothing, would be learned.
    public init(
        _ examples: Examples, batch: Batch, length: Length, mix: Float = 0
    ) throws(InputError) {
        try batch.validate()
        guard examples.count > 0 else {
            throw InputError(
                field: "data", "nothing is left to learn from: \(examples.report.sentence)",
                remedy:
                    "Raise batch.rowTokens, choose another policy for overlong rows, or add data.")
        }
        var layout = Layout(examples, batch)
        switch length {
        case .epochs(let count):
            try layout.addEpochs(count)
        case .steps(let count):
            while layout.steps.count < count { try layout.addEpoch(stepsMax: count) }
        }
        self.batch = batch
        self.mix = mix
        self.examples = examples
        steps = layout.steps
        epochs = layout.epochs
    }

    public var documents: [TokenizedDocument] { examples.documents }
    public var report: PackingReport { examples.report }

    /// Which rows of its epoch `lane` of `step` computes; none where the lane is empty.
    public func rows(lane: Int, of step: Step) -> Range<Int> {
        let start = step.rows.lowerBound + lane * batch.laneRows
        return (start..<start + batch.laneRows).clamped(to: step.rows)
    }

    /// Row `index` of `epoch`.
    public func row(_ index: Int, epoch: Int) -> PackedRow {
        PackedRow(documents(inRow: index, epoch: epoch).lazy.map { documents[$0] }, mix: mix)
    }

    /// The indices of the documents in that row, into `documents`.
    public func documents(inRow index: Int, epoch: Int) -> [Int] {
        examples(inRow: index, epoch: epoch).flatMap { examples.documents(of: $0) }
    }

    /// The indices of the examples in that row, in its order.
    func examples(inRow index: Int, epoch: Int) -> [Int] { epochs[epoch].row(index).map(Int.init) }

    /// The lanes that `rank` of `ranks` computes: blocks as equal as can be, in order.
    public static func lanes(of rank: Int, ranks: Int, lanes: Int) -> Range<Int> {
        (rank * lanes / ranks)..<((rank + 1) * lanes / ranks)
    }
}

extension TrainingPlan.Batch {
    fileprivate func validate() throws(InputError) {
        guard lanes > 0, lanes.nonzeroBitCount == 1 else {
            throw InputError(
                field: "batch.lanes", "\(lanes) is not a power of two",
                remedy: "Nothing was trained. Write 1, 2, 4, 8, …")
        }
        guard laneRows > 0 else {
            throw InputError(
                field: "batch.laneRows", "a lane of \(laneRows) rows computes nothing",
                remedy: "Nothing was trained. Write 1 or more.")
        }
        guard rowTokens >= 2 else {
            throw InputError(
                field: "batch.rowTokens", "\(rowTokens) is too short for a token and its successor",
                remedy: "Nothing was trained. Write 2 or more.")
        }
    }
}

/// A plan while it is being laid out.
private struct Layout {
    let batch: TrainingPlan.Batch
    let lengths: [Int]
    let measures: [ExampleMeasure]
    var epochs: [Packing] = []
    var steps: [TrainingPlan.Step] = []

    init(_ examples: Examples, _ batch: TrainingPlan.Batch) {
        self.batch = batch
        measures = (0..<examples.count).map { examples.measure(of: $0) }
        lengths = measures.map(\.tokens)
    }

    mutating func addEpochs(_ count: Double) throws(InputError) {
        let (whole, rest) = (Int(count), count - count.rounded(.down))
        for _ in 0..<whole { try addEpoch(stepsMax: .max) }
        guard rest > 0 else { return }
        let before = steps.count
        try addEpoch(stepsMax: .max)
        let kept = (Double(steps.count - before) * rest).rounded(.up)
        steps.removeLast(steps.count - before - Int(kept))
    }

    /// Packs the next epoch and cuts it into steps, up to `stepsMax` in all.
    mutating func addEpoch(stepsMax: Int) throws(InputError) {
        let epoch = epochs.count
        let order =
            switch batch.order {
            case .file: Array(measures.indices)
            case .shuffled:
                permutation(
                    of: measures.count, seed: batch.seed,
                    stream: UInt32(truncatingIfNeeded: epoch))
            }
        let packing = Packing(lengths: lengths, order: order, rowTokens: batch.rowTokens)
        epochs.append(packing)
        let stepRows = batch.lanes * batch.laneRows
        for start in stride(from: 0, to: packing.rows, by: stepRows) where steps.count < stepsMax {
            let rows = start..<min(start + stepRows, packing.rows)
            var measure = ExampleMeasure()
            for row in rows {
                for example in packing.row(row) { measure += measures[Int(example)] }
            }
            let number = steps.count + 1
            guard measure.supervised > 0, measure.weight > 0, measure.weight.isFinite else {
                throw InputError(
                    field: "data",
                    "step \(number) has \(measure.supervised) supervised tokens of total weight \(measure.weight)",
                    remedy:
                        "Nothing was trained. Give its rows positive weights, or leave them out.")
            }
            steps.append(
                TrainingPlan.Step(
                    number: number, epoch: epoch, rows: rows, denominator: measure.weight,
                    tokens: measure.tokens, supervisedTokens: measure.supervised))
        }
    }
}

extension PackingReport {
    /// What became of the documents, in one clause.
    public var sentence: String {
        """
        of \(documents) documents, \(overlong) were longer than a row, \(dropped) dropped for it, \
        \(unsupervised) had nothing to learn, \(tokensLost) tokens are in no row
        """
    }
}

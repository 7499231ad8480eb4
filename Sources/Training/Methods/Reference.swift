import Collectives
import Datasets
import Models
import Synchronization
import Tensors

/// What answers scored before the first step: the frozen model with which a training's is compared.
public struct Reference: Sendable, Equatable {
    /// Of one set of examples.
    struct Scores: Sendable, Equatable {
        /// Σ weight × log-probability of each document.
        var documents: [Double]
        /// Of each question with another one's answer.
        var mismatched: [Double]
    }

    var learned: Scores
    var held: Scores

    /// Reads what `bytes` wrote, of a training with so many documents; nil for anything else.
    init?(_ bytes: [UInt8], of sets: [Examples]) {
        let counts = sets.flatMap { [$0.documents.count, $0.mismatched.count] }
        guard bytes.count == 8 * counts.reduce(0, +) else { return nil }
        var numbers = [Double](fixedBytes: bytes)[...]
        let parts = counts.map { count in
            defer { numbers = numbers.dropFirst(count) }
            return Array(numbers.prefix(count))
        }
        learned = Scores(documents: parts[0], mismatched: parts[1])
        held =
            parts.count > 2
            ? Scores(documents: parts[2], mismatched: parts[3])
            : Scores(documents: [], mismatched: [])
    }
}

extension Array<Double> {
    /// Eight bytes each, the lowest first.
    fileprivate init(fixedBytes bytes: [UInt8]) {
        self = stride(from: 0, to: bytes.count, by: 8).map { start in
            let bits = bytes[start..<start + 8].reversed().reduce(UInt64(0)) {
                $0 << 8 | UInt64($1)
            }
            return Double(bitPattern: bits)
        }
    }

    fileprivate var fixedBytes: [UInt8] {
        flatMap { number in (0..<8).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) }
        }
    }
}

extension Trainer {
    /// Takes down what the model says of all answers before it learns anything; a collective call, to be
    /// made before `resume`, where the objective compares with it (nil elsewhere).
    ///
    /// The bits depend on the weights and the documents alone: what an earlier attempt took down, `known`
    /// on rank 0, is as good. Returns it on every rank, to be kept.
    public func takeReference(known: [UInt8]? = nil) throws -> [UInt8]? {
        guard settings.objective.hasReference else { return nil }
        let sets = [plan.examples] + (validation.map { [$0.examples] } ?? [])
        let offered = try world.broadcast(world.rank == 0 ? known ?? [] : [], from: 0)
        if let reference = Reference(offered, of: sets) {
            self.reference = reference
            return offered
        }
        let documents = sets.flatMap { $0.documents + $0.mismatched }
        let block = TrainingPlan.lanes(
            of: world.rank, ranks: world.ranks, lanes: documents.count)
        let own = try crew.scores(
            of: Array(documents[block]), rowTokens: plan.batch.rowTokens
        ) { [report] done, total in
            try report(.progress(phase: "asking the base", done: done, total: total))
        }
        let all = try world.gather(own.fixedBytes).flatMap(\.self)
        let bytes = try world.broadcast(all, from: 0)
        let bad = [Double](fixedBytes: bytes).count { !$0.isFinite }
        guard bad == 0, let reference = Reference(bytes, of: sets) else {
            throw TrainingError.reference(documents: bad)
        }
        self.reference = reference
        return bytes
    }
}

extension Crew {
    /// Σ weight × log-probability of each document: the same bits alone and in company.
    func scores(
        of documents: [TokenizedDocument], rowTokens: Int,
        progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
    ) throws -> [Double] {
        let packing = Packing(
            lengths: documents.map(\.tokens.count), order: Array(documents.indices),
            rowTokens: rowTokens)
        let scores = Mutex([Double](repeating: 0, count: documents.count))
        // In bites, so that the watchdog hears of long ones.
        for start in stride(from: 0, to: packing.rows, by: 64) {
            each(min(64, packing.rows - start)) { index, learner in
                let indices = packing.row(start + index).map(Int.init)
                let row = PackedRow(indices.lazy.map { documents[$0] })
                let sums = row.sums(of: learner.scores(of: row))
                scores.withLock { scores in
                    for (document, sum) in zip(indices, sums) { scores[document] = sum.score }
                }
            }
            try progress(min(start + 64, packing.rows), packing.rows)
        }
        return scores.withLock(\.self)
    }

    /// z₀ of KTO: by how many nats the model has become likelier, in the mean over `count` examples of all
    /// ranks, to give an answer that has nothing to do with the question; at least 0.
    ///
    /// A collective call; this rank scores the examples `own`.
    func divergence(
        _ world: any Communicator, _ examples: Examples, _ reference: Reference.Scores,
        _ own: [Int], of count: Int, rowTokens: Int
    ) throws -> Double {
        let scores = try scores(of: own.map { examples.mismatched[$0] }, rowTokens: rowTokens)
        // The sum, and how many are no numbers.
        var sums: [Int64] = [0, 0]
        for (index, score) in zip(own, scores) {
            let gain = score - reference.mismatched[index]
            if let units = FixedPoint.loss.fixed(gain, terms: count) {
                sums[0] += units
            } else {
                sums[1] += 1
            }
        }
        try unsafe sums.withUnsafeMutableBufferPointer { try unsafe world.allreduceSum($0) }
        // What is no number shows in the gradient too, whose check says so.
        guard sums[1] == 0 else { return .nan }
        return max(0, FixedPoint.loss.value(sums[0]) / Double(max(count, 1)))
    }
}

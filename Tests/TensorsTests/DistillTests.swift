import Foundation
import Tensors
import TestSupport
import Testing

/// The distillation loss against the textbook in fp64, and its gradient against finite differences.
@Suite struct DistillationKernel {
    private let operations = CPUOperations()

    /// What a teacher says of each row: `count` tokens, fewer or none in some rows.
    private func teacher(
        _ rows: Int, _ vocabulary: Int, _ count: Int, _ numbers: inout SeededNumbers
    ) -> TeacherRows {
        var teacher = TeacherRows()
        for row in 0..<rows {
            let taken = row % 3 == 2 ? 0 : min(count, vocabulary)
            let tokens = Array((0..<Int32(vocabulary)).shuffled(using: &numbers).prefix(taken))
            // A share of the mass stays in the tail, unless all tokens are said.
            let shares = (0..<taken).map { _ in numbers.uniform(0.1, 1) }
            let mass = taken == vocabulary ? 1 : 0.9
            let sum = shares.reduce(0, +)
            teacher.append(
                tokens: tokens,
                logProbabilities: shares.map { Float(log($0 / sum * mass)) })
        }
        return teacher
    }

    /// What a row costs, as the definition has it (compute core, section 9).
    private func cost(
        _ logits: [Double], _ target: Int, _ tokens: [Int32], _ logq: [Float], mix: Double
    ) -> Double {
        let shift = logits.max() ?? 0
        let lse = shift + log(logits.reduce(0) { $0 + exp($1 - shift) })
        let logp = logits.map { $0 - lse }
        guard !tokens.isEmpty else { return -logp[target] }
        var kl = 0.0
        var tail = 1.0
        for (token, logq) in zip(tokens, logq) {
            let q = exp(Double(logq))
            kl += q * (Double(logq) - logp[Int(token)])
            tail -= q
        }
        let rest = logp.indices.filter { !tokens.contains(Int32($0)) }
            .reduce(0) { $0 + exp(logp[$1]) }
        if tail > 1e-6 { kl += tail * (log(tail) - log(rest)) }
        return mix * kl - (1 - mix) * logp[target]
    }

    @Test(arguments: [(2, 2), (5, 4), (33, 8), (700, 20), (20, 20)], [0, 0.5, 1] as [Float])
    func `loss and gradient are the definition's`(
        shape: (vocabulary: Int, count: Int), mix: Float
    ) {
        var numbers = SeededNumbers(seed: 11)
        let rows = 7
        let teacher = teacher(rows, shape.vocabulary, shape.count, &numbers)
        let logits = Matrix(rows, shape.vocabulary, &numbers, deviation: 3)
        let before = logits.values
        let targets = (0..<rows).map { _ in Int32(numbers.integer(in: 0..<shape.vocabulary)) }
        let u = numbers.uniforms(rows, 0.1, 2)
        let scores = operations.distillScores(
            logits.tensor, targets: targets, teacher: teacher, mix: mix, u: u)

        func cost(_ row: Int, _ logits: [Double]) -> Double {
            let range = Int(teacher.starts[row])..<Int(teacher.starts[row + 1])
            return self.cost(
                logits, Int(targets[row]), Array(teacher.tokens[range]),
                Array(teacher.logProbabilities[range]), mix: Double(mix))
        }
        var expected: [[Double]] = []
        for row in 0..<rows {
            #expect((-scores[row]).isClose(to: cost(row, before[row]), within: .float32))
            let step = 1e-5
            expected.append(
                before[row].indices.map { index in
                    var (up, down) = (before[row], before[row])
                    up[index] += step
                    down[index] -= step
                    return Double(u[row]) * (cost(row, up) - cost(row, down)) / (2 * step)
                })
        }
        #expect(logits.error(against: expected) < 2e-5, "\(numbers)")
    }

    @Test func `without a teacher it is the target's loss`() {
        var numbers = SeededNumbers(seed: 12)
        let (a, b) = (Matrix(5, 40, &numbers), Matrix(zeros: 5, 40))
        b.tensor.copy(a.tensor)
        var teacher = TeacherRows()
        for _ in 0..<5 { teacher.append(tokens: [], logProbabilities: []) }
        let (targets, u) = ([1, 2, 3, 4, 39] as [Int32], [1, 2, 0.5, 1, 1] as [Float])
        let mixed = operations.distillScores(
            a.tensor, targets: targets, teacher: teacher, mix: 0.7, u: u)
        let plain = operations.logProbabilities(b.tensor, targets: targets, u: u)
        #expect(mixed.isClose(to: plain, within: .float64))
        #expect(a.error(against: b.values) < 1e-6)
    }

    @Test func `a student that says what the teacher said has nothing to learn`() {
        var numbers = SeededNumbers(seed: 13)
        let logits = Matrix(1, 50, &numbers)
        let values = logits.values[0]
        let lse = log(values.reduce(0) { $0 + exp($1) })
        var teacher = TeacherRows()
        let top = values.indices.sorted { values[$0] > values[$1] }.prefix(10)
        teacher.append(
            tokens: top.map { Int32($0) }, logProbabilities: top.map { Float(values[$0] - lse) })
        let scores = operations.distillScores(
            logits.tensor, targets: [0], teacher: teacher, mix: 1, u: [1])
        #expect(abs(scores[0]) < 1e-6)
        #expect(logits.values[0].allSatisfy { abs($0) < 1e-6 })
    }
}

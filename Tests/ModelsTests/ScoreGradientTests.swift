import Models
import Tensors
import TestSupport
import Testing

/// The one operator beneath all losses over answers, on a real decoder.
@Suite struct `Log-probabilities` {
    /// A better answer and a worse one to a question, in one row.
    private static let row: PackedRow = {
        var numbers = SeededTokens(seed: 21)
        var row = numbers.row([9, 7], vocabulary: 37)
        row.weights = [0, 0, 0, 1, 1, 0.5, 1, 1, 0] + [0, 0, 0, 1, 1, 1, 0]
        return row
    }()
    private static let reference = (better: -14.0, worse: -12.5)
    private static let beta = 0.3

    @Test func `a gradient of any function of log-probabilities equals the fp64 oracle's`() {
        let row = Self.row
        let model = Transformer.random(.small)
        let whole = WholeGradient(model.layout)
        var loss = 0.0
        let scores = model.differentiate(row, gradient: whole) { scores in
            let weights = row.weights.filter { $0 != 0 }.map { Double($0) }
            let sums = [0..<5, 5..<8].map { range in
                range.reduce(0.0) { $0 + weights[$1] * scores[$1] }
            }
            let margin =
                Self.beta * (sums[0] - Self.reference.better - sums[1] + Self.reference.worse)
            loss = Elementary.softplus(-margin)
            let slope = -Self.beta * Elementary.sigmoid(-margin)
            return weights.enumerated().map { index, weight in
                Float(-(index < 5 ? slope : -slope) * weight)
            }
        }
        let gradient = whole.values
        #expect(scores == model.scores(of: row))

        let oracle = OracleTransformer(
            .small, parameters: unsafe model.parameters.map { Double($0) })
        let tape = oracle.tape
        func score(_ document: Range<Int>) -> Tape.Node {
            var part = row
            for position in row.weights.indices where !document.contains(position) {
                part.weights[position] = 0
            }
            return tape.scaled(oracle.loss(part), -1)
        }
        let better = tape.sum(score(0..<9), tape.constant(-Self.reference.better))
        let worse = tape.sum(score(9..<16), tape.constant(-Self.reference.worse))
        let margin = tape.scaled(tape.sum(better, tape.scaled(worse, -1)), -Self.beta)
        let expected = tape.logarithm(tape.sum(tape.constant(1), tape.exponential(margin)))
        let slopes = tape.gradient(of: expected)
        #expect(abs(loss - tape.values[expected]) <= 1e-5)
        for entry in model.layout.entries {
            let range = entry.offset..<(entry.offset + entry.count)
            let largest = range.map { abs(slopes[oracle.parameters[$0]]) }.max() ?? 0
            let worst =
                range.map { abs(Double(gradient[$0]) - slopes[oracle.parameters[$0]]) }.max() ?? 0
            #expect(worst <= 1e-4 * largest, "\(entry.name): \(worst) of \(largest)")
        }
    }

    /// Ask 18: two copies of the loss mathematics that drift apart.
    @Test func `slopes known beforehand give the very gradient of the fused pass`() {
        var numbers = SeededTokens(seed: 5)
        let row = numbers.row([1, 5, 12, 2, 140], vocabulary: 37)
        let model = Transformer.random(.small)
        let (loss, fused) = model.differentiate(row, scale: 0.25)
        let whole = WholeGradient(model.layout)
        let scores = model.differentiate(row, gradient: whole) { _ in
            row.weights.filter { $0 != 0 }.map { 0.25 * $0 }
        }
        #expect(whole.values == fused)
        let sum = zip(row.weights.filter { $0 != 0 }, scores).reduce(0) {
            $0 - Double($1.0) * $1.1
        }
        #expect(sum == loss)
    }

    /// Ask 5: packed documents that attend to each other.
    @Test func `do not depend on what else is in the row`() {
        var numbers = SeededTokens(seed: 6)
        let row = numbers.row([4, 9, 66, 3], vocabulary: 37)
        let model = Transformer.random(.small)
        let packed = model.scores(of: row)
        var apart: [Double] = []
        let starts = row.documentStarts.map { Int($0) }
        for (start, end) in zip(starts, starts.dropFirst() + [row.tokens.count]) {
            apart += model.scores(
                of: PackedRow(
                    tokens: Array(row.tokens[start..<end]), documentStarts: [0],
                    targets: Array(row.targets[start..<end]),
                    weights: Array(row.weights[start..<end])))
        }
        #expect(packed == apart)
    }
}

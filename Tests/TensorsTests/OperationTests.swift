import Tensors
import TestSupport
import Testing

/// Every operation against the fp64 tape, forward and backward.
@Suite struct CPUOperationResults {
    let operations = CPUOperations()

    @Test(arguments: [(1, 5), (7, 16), (70, 33), (3, 128)])
    func `linear products and their gradients`(rows: Int, columns: Int) {
        var numbers = SeededNumbers(seed: 1)
        let x = Matrix(rows, columns, &numbers)
        let weight = Matrix(11, columns, &numbers)
        let dy = Matrix(rows, 11, &numbers)
        let (y, dx, dw) = (
            Matrix(rows, 11, &numbers), Matrix(rows, columns, &numbers),
            Matrix(11, columns, &numbers)
        )
        let (oldY, oldX, oldW) = (y.values, dx.values, dw.values)
        operations.linear(y.tensor, x.tensor, weight: weight.tensor, adding: true)
        operations.linearInputGradient(dx.tensor, dy.tensor, weight: weight.tensor, adding: true)
        operations.linearWeightGradient(dw.tensor, dy.tensor, x.tensor, adding: true)

        let tape = Tape()
        let (xs, ws) = (tape.leaves(x.values), tape.leaves(weight.values))
        let ys = xs.map { tape.linear(ws, $0) }
        let gradients = tape.gradient(of: ys, along: dy.values, at: [xs, ws])
        func plus(_ a: [[Double]], _ b: [[Double]]) -> [[Double]] {
            zip(a, b).map { zip($0, $1).map { $0 + $1 } }
        }
        #expect(y.error(against: plus(oldY, tape.numbers(ys))) < 2e-6)
        #expect(dx.error(against: plus(oldX, gradients[0])) < 2e-6)
        #expect(dw.error(against: plus(oldW, gradients[1])) < 2e-6)

        operations.linear(y.tensor, x.tensor, weight: weight.tensor, adding: false)
        operations.linearInputGradient(dx.tensor, dy.tensor, weight: weight.tensor, adding: false)
        operations.linearWeightGradient(dw.tensor, dy.tensor, x.tensor, adding: false)
        #expect(y.error(against: tape.numbers(ys)) < 2e-6)
        #expect(dx.error(against: gradients[0]) < 2e-6)
        #expect(dw.error(against: gradients[1]) < 2e-6)
    }

    @Test(arguments: [(1, 3), (5, 16), (9, 50), (4, 96)], [0, 1] as [Float])
    func `norms and their gradients`(shape: (Int, Int), offset: Float) {
        let (rows, columns) = shape
        var numbers = SeededNumbers(seed: 2)
        let (x, gain) = (Matrix(rows, columns, &numbers), Matrix(1, columns, &numbers))
        let dy = Matrix(rows, columns, &numbers)
        let (y, inverse) = (Matrix(zeros: rows, columns), Matrix(zeros: 1, rows))
        let (dx, dgain) = (Matrix(zeros: rows, columns), Matrix(zeros: 1, columns))
        operations.rmsNorm(
            y.tensor, inverse: inverse.tensor, x.tensor, gain: gain.tensor, offset: offset,
            epsilon: 1e-2)
        operations.rmsNormGradient(
            dx.tensor, dgain.tensor, dy.tensor, x.tensor, inverse: inverse.tensor,
            gain: gain.tensor, offset: offset)

        let tape = Tape()
        let (xs, gains) = (tape.leaves(x.values), tape.leaves(gain.values))
        let factors = gains[0].map { tape.sum($0, tape.constant(Double(offset))) }
        let ys = xs.map { tape.rmsNorm($0, gain: factors, epsilon: Double(Float(1e-2))) }
        let gradients = tape.gradient(of: ys, along: dy.values, at: [xs, gains])
        #expect(y.error(against: tape.numbers(ys)) < 2e-6)
        #expect(dx.error(against: gradients[0]) < 5e-6)
        #expect(dgain.error(against: gradients[1]) < 5e-6)
    }

    @Test(arguments: [2, 6, 32, 80])
    func `rotation, and its reversal`(dimension: Int) {
        var numbers = SeededNumbers(seed: 3)
        let table = RotaryTable(
            positions: 3000, headDimension: dimension, RotarySettings(theta: 10_000))
        let x = Matrix(6, 3 * dimension, &numbers)
        let before = x.values
        let positions: [Int32] = [0, 1, 2, 0, 700, 2999]
        operations.rotate(x.tensor, positions: positions, table: table, backwards: false)
        let tape = Tape()
        let expected = zip(before, positions).map { row, position in
            (0..<3).flatMap { head in
                let own = row[(head * dimension)...].prefix(dimension).map { tape.constant($0) }
                return tape.rotated(own, position: Int(position), theta: 10_000)
            }
        }
        #expect(x.error(against: tape.numbers(expected)) < 5e-7)
        operations.rotate(x.tensor, positions: positions, table: table, backwards: true)
        #expect(x.error(against: before) < 5e-7)
    }

    /// Small numbers are what a cap sees most: there its result differs from them by their cube.
    @Test(arguments: [1, 15, 16, 45], [0.01, 1, 300] as [Float])
    func `a soft cap and its gradient`(columns: Int, deviation: Float) {
        var numbers = SeededNumbers(seed: 5)
        let x = Matrix(4, columns, &numbers, deviation: deviation)
        let dy = Matrix(4, columns, &numbers)
        let tape = Tape()
        let xs = tape.leaves(x.values)
        let ys = xs.map { $0.map { tape.capped($0, 30) } }
        let gradient = tape.gradient(of: ys, along: dy.values, at: [xs])[0]
        operations.softcap(x.tensor, cap: 30)
        for (own, expected) in zip(x.values.joined(), tape.numbers(ys).joined()) {
            #expect(abs(own - expected) <= 3e-7 * abs(expected), "\(own)")
        }
        operations.softcapGradient(dy.tensor, x.tensor, cap: 30)
        #expect(dy.error(against: gradient) < 1e-6)
    }

    @Test func `rows are added, scaled and summed`() {
        var numbers = SeededNumbers(seed: 6)
        let (y, x, row) = (
            Matrix(5, 21, &numbers), Matrix(5, 21, &numbers), Matrix(1, 21, &numbers)
        )
        let (before, others, one) = (y.values, x.values, row.values[0])
        operations.add(y.tensor, x.tensor)
        operations.addRow(y.tensor, row.tensor)
        operations.scale(y.tensor, by: 0.5)
        let expected = zip(before, others).map {
            zip(zip($0, $1), one).map { ($0.0 + $0.1 + $1) / 2 }
        }
        #expect(y.error(against: expected) < 1e-6)
        operations.addColumnSums(row.tensor, x.tensor)
        let sums = one.indices.map { column in
            one[column] + others.reduce(0) { $0 + $1[column] }
        }
        #expect(row.error(against: [sums]) < 1e-6)
    }

    @Test(arguments: [1, 15, 16, 45], Activation.allCases)
    func `the gated activation and its gradient`(columns: Int, activation: Activation) {
        var numbers = SeededNumbers(seed: 4)
        let (gate, up) = (Matrix(4, columns, &numbers, deviation: 6), Matrix(4, columns, &numbers))
        let (h, dh) = (Matrix(zeros: 4, columns), Matrix(4, columns, &numbers))
        let tape = Tape()
        let (gates, ups) = (tape.leaves(gate.values), tape.leaves(up.values))
        let hs = zip(gates, ups).map {
            zip($0, $1).map {
                tape.product(activation == .silu ? tape.silu($0) : tape.gelu($0), $1)
            }
        }
        let gradients = tape.gradient(of: hs, along: dh.values, at: [gates, ups])
        operations.gatedActivation(h.tensor, gate: gate.tensor, up: up.tensor, activation)
        operations.gatedActivationGradient(
            gate: gate.tensor, up: up.tensor, dh.tensor, activation)
        #expect(h.error(against: tape.numbers(hs)) < 1e-6)
        // GELU's slope multiplies what rounding does to the cube in the exponent.
        #expect(gate.error(against: gradients[0]) < (activation == .silu ? 1e-6 : 3e-6))
        #expect(up.error(against: gradients[1]) < 1e-6)
    }

    @Test func `rows are gathered, and added where they came from`() {
        var numbers = SeededNumbers(seed: 5)
        let x = Matrix(9, 21, &numbers)
        let y = Matrix(zeros: 5, 21)
        let rows: [Int32] = [3, 3, 0, 8, 3]
        operations.gather(y.tensor, x.tensor, rows: rows)
        #expect(y.values == rows.map { x.values[Int($0)] })
        let sum = Matrix(zeros: 9, 21)
        operations.scatterAdd(sum.tensor, y.tensor, rows: rows)
        #expect(
            sum.error(
                against: (0..<9).map { row in
                    x.values[row].map { value in
                        value * Double(rows.count(where: { $0 == Int32(row) }))
                    }
                }) < 1e-6)
    }

    @Test(arguments: [2, 16, 37, 1000])
    func `log-probabilities and the gradient of logits`(vocabulary: Int) {
        var numbers = SeededNumbers(seed: 6)
        let logits = Matrix(5, vocabulary, &numbers, deviation: 8)
        let targets: [Int32] = [0, 1, Int32(vocabulary - 1), 1, -1]
        let u: [Float] = [1, 0.5, 2, 0.25, 1]
        let tape = Tape()
        let leaves = tape.leaves(logits.values)
        let scores = (0..<4).map { [tape.logProbability(leaves[$0], Int(targets[$0]))] }
        let gradient = tape.gradient(
            of: scores, along: u.prefix(4).map { [-Double($0)] }, at: [leaves])[0]
        let own = operations.logProbabilities(logits.tensor, targets: targets, u: u)
        for (own, expected) in zip(own, tape.numbers(scores)) {
            #expect(abs(own - expected[0]) < 2e-6 * max(1, abs(expected[0])))
        }
        #expect(own[4] == 0)
        let most = Matrix(zeros: 4, vocabulary)
        most.tensor.copy(logits.tensor.prefix(4))
        #expect(most.error(against: Array(gradient.prefix(4))) < 2e-6)
    }

    @Test func `softmax sums to 1, and the best is the first of equals`() {
        var numbers = SeededNumbers(seed: 7)
        let x = Matrix(3, 100, &numbers)
        let before = x.values
        operations.softmax(x.tensor, scale: 2)
        for (row, old) in zip(x.values, before) {
            #expect(abs(row.reduce(0, +) - 1) < 1e-6)
            let tape = Tape()
            let leaves = old.map { tape.constant(2 * $0) }
            let probability = tape.exponential(tape.logProbability(leaves, 17))
            #expect(abs(row[17] - tape.values[probability]) < 1e-6)
        }
        for column in [40, 20, 60] { unsafe x.tensor.row(1)[column] = 9 }
        #expect(operations.argmax(x.tensor)[1] == 20)
    }
}

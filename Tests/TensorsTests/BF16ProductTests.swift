import Tensors
import TestSupport
import Testing

@Suite(
    .enabled(
        if: Precision.bf16.missing == nil,
        "bf16 products need oneDNN, and a processor with AVX512_BF16 or AMX"))
struct `Products in bf16` {
    struct Shape: Sendable {
        var rows: Int
        var outer: Int
        var inner: Int
    }

    static let shapes = [
        Shape(rows: 1, outer: 64, inner: 64), Shape(rows: 5, outer: 100, inner: 90),
        Shape(rows: 70, outer: 37, inner: 24), Shape(rows: 130, outer: 192, inner: 576),
        Shape(rows: 64, outer: 16, inner: 1), Shape(rows: 3, outer: 1, inner: 33),
    ]

    /// The nearest number whose lower half is 0, ties to the one whose last bit is 0.
    static func rounded(_ x: Double) -> Double {
        let bits = Float(x).bitPattern
        let (lower, upper) = (bits & 0xffff_0000, (bits & 0xffff_0000) &+ 0x1_0000)
        let (below, above) = (Float(bitPattern: lower), Float(bitPattern: upper))
        let own = Double(Float(x))
        let (down, up) = (abs(own - Double(below)), abs(Double(above) - own))
        if down == up { return Double(lower & 0x1_0000 == 0 ? below : above) }
        return Double(down < up ? below : above)
    }

    static func rounded(_ values: [[Double]]) -> [[Double]] { values.map { $0.map(rounded) } }

    /// a b, in fp64.
    static func product(_ a: [[Double]], _ b: [[Double]]) -> [[Double]] {
        a.map { row in
            b[0].indices.map { n in row.indices.reduce(0) { $0 + row[$1] * b[$1][n] } }
        }
    }

    static func transposed(_ a: [[Double]]) -> [[Double]] {
        a[0].indices.map { column in a.map { $0[column] } }
    }

    @Test(arguments: shapes, [true, false])
    func `are those of rounded operands, packed beforehand or not`(shape: Shape, isPacked: Bool) {
        var numbers = SeededNumbers(seed: 3)
        let x = Matrix(shape.rows, shape.inner, &numbers)
        let weight = Matrix(shape.outer, shape.inner, &numbers)
        let dy = Matrix(shape.rows, shape.outer, &numbers)
        let start = Matrix(shape.rows, shape.outer, &numbers)
        let packed = PackedWeights(
            isPacked ? [weight.tensor] : [], precision: .bf16, isTraining: true)
        packed.refresh(threads: 2)
        let operations = CPUOperations(weights: packed)
        let (a, w, d) = (
            Self.rounded(x.values), Self.rounded(weight.values), Self.rounded(dy.values)
        )

        let y = Matrix(zeros: shape.rows, shape.outer)
        operations.linear(y.tensor, x.tensor, weight: weight.tensor, adding: false)
        let expected = Self.product(a, Self.transposed(w))
        #expect(y.error(against: expected) < 1e-5)
        let (before, sum) = (start.values, start)
        operations.linear(sum.tensor, x.tensor, weight: weight.tensor, adding: true)
        let added = zip(before, y.values).map { zip($0, $1).map { Double(Float($0) + Float($1)) } }
        #expect(sum.values == added)

        let dx = Matrix(zeros: shape.rows, shape.inner)
        operations.linearInputGradient(dx.tensor, dy.tensor, weight: weight.tensor, adding: false)
        #expect(dx.error(against: Self.product(d, w)) < 1e-5)

        let dw = Matrix(zeros: shape.outer, shape.inner)
        operations.linearWeightGradient(dw.tensor, dy.tensor, x.tensor, adding: true)
        operations.linearWeightGradient(dw.tensor, dy.tensor, x.tensor, adding: true)
        let outer = Self.product(Self.transposed(d), a).map { $0.map { 2 * $0 } }
        #expect(dw.error(against: outer) < 1e-5)
    }

    @Test(arguments: [
        Shape(rows: 200, outer: 704, inner: 256), Shape(rows: 200, outer: 37, inner: 24),
        Shape(rows: 130, outer: 576, inner: 1536),
    ])
    func `give a row the same bits alone and in any company`(shape: Shape) {
        var numbers = SeededNumbers(seed: 4)
        let x = Matrix(shape.rows, shape.inner, &numbers)
        let weight = Matrix(shape.outer, shape.inner, &numbers)
        let packed = PackedWeights([weight.tensor], precision: .bf16, isTraining: false)
        packed.refresh()
        let operations = CPUOperations(weights: packed)
        let (y, one) = (Matrix(zeros: shape.rows, shape.outer), Matrix(zeros: 1, shape.outer))
        var alone: [[Double]] = []
        for row in 0..<shape.rows {
            operations.linear(
                one.tensor, x.tensor.rows(row..<row + 1), weight: weight.tensor, adding: false)
            alone += one.values
        }
        for count in [1, 2, 3, 7, 16, 33, 64, 65, shape.rows] {
            operations.linear(
                y.tensor.prefix(count), x.tensor.prefix(count), weight: weight.tensor,
                adding: false)
            #expect(Array(y.values.prefix(count)) == Array(alone.prefix(count)), "\(count) rows")
        }
        // Rows that were not asked for are left as they are.
        let last = y.values[shape.rows - 1]
        operations.linear(
            y.tensor.prefix(5), x.tensor.prefix(5), weight: weight.tensor, adding: false)
        #expect(y.values[shape.rows - 1] == last)
    }

    @Test func `carry numbers that are none through`() {
        var numbers = SeededNumbers(seed: 5)
        let (x, weight) = (Matrix(4, 40, &numbers), Matrix(70, 40, &numbers))
        unsafe x.tensor.row(1)[7] = .nan
        unsafe x.tensor.row(2)[39] = .infinity
        let packed = PackedWeights([weight.tensor], precision: .bf16, isTraining: false)
        packed.refresh()
        let y = Matrix(zeros: 4, 70)
        CPUOperations(weights: packed).linear(
            y.tensor, x.tensor, weight: weight.tensor, adding: false)
        #expect(y.values.map { $0.allSatisfy(\.isFinite) } == [true, false, false, true])
    }
}

@Suite struct `The precision of a machine` {
    @Test func `is bf16 where it can be, and says why it cannot`() {
        #expect(Precision.fp32.missing == nil)
        #expect(Precision.fp32.profile == .fp32)
        if let missing = Precision.bf16.missing {
            #expect(!missing.isEmpty)
            #expect(Precision.fastest == .fp32)
        } else {
            #expect(Precision.fastest == .bf16)
            #expect(Precision.bf16.profile.name.contains("onednn-2."))
        }
    }
}

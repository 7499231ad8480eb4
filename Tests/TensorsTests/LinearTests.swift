import Tensors
import Testing

@Suite struct LinearProducts {
    struct Shape: Sendable {
        var inner: Int
        var outer: Int
    }

    /// A matrix of small random numbers with room for whole blocks of rows.
    static func matrix(rows: Int, columns: Int, seed: Int, in arena: inout [Arena]) -> Tensor {
        var plan = ArenaPlan()
        let place = plan.add(rows: rows.roundedUp(to: rowBlock), columns: columns)
        let memory = Arena(plan)
        arena.append(memory)
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
        for index in unsafe memory.values.indices {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            unsafe memory.values[index] = Float(Int32(truncatingIfNeeded: state >> 32)) / 0x1p31
        }
        return memory[place].prefix(rows)
    }

    @Test(arguments: [
        Shape(inner: 64, outer: 64), Shape(inner: 256, outer: 704), Shape(inner: 704, outer: 256),
        Shape(inner: 24, outer: 37), Shape(inner: 1536, outer: 576), Shape(inner: 8, outer: 4096),
    ])
    func `the bits of a row depend on that row alone`(shape: Shape) {
        var arenas: [Arena] = []
        let operations = CPUOperations()
        let x = Self.matrix(rows: 200, columns: shape.inner, seed: 1, in: &arenas)
        let weight = Self.matrix(rows: shape.outer, columns: shape.inner, seed: 2, in: &arenas)
        let alone = Self.matrix(rows: 200, columns: shape.outer, seed: 3, in: &arenas)
        let single = Self.matrix(rows: 1, columns: shape.inner, seed: 4, in: &arenas)
        let result = Self.matrix(rows: 1, columns: shape.outer, seed: 5, in: &arenas)
        for row in 0..<200 {
            single.copy(x.rows(row..<(row + 1)))
            operations.linear(result, single, weight: weight, adding: false)
            alone.rows(row..<(row + 1)).copy(result)
        }
        let y = Self.matrix(rows: 200, columns: shape.outer, seed: 6, in: &arenas)
        for count in 1...200 {
            operations.linear(y.prefix(count), x.prefix(count), weight: weight, adding: false)
            let same = (0..<count).allSatisfy { row in
                unsafe zip(y.row(row), alone.row(row)).allSatisfy { $0.bitPattern == $1.bitPattern }
            }
            #expect(same, "\(count) rows of \(shape)")
        }
        _ = arenas
    }

    @Test(arguments: [(1, 1, 3), (13, 37, 40), (29, 70, 800), (64, 33, 385)])
    func `every element is one chain of fused multiply-adds`(rows: Int, outer: Int, inner: Int) {
        var arenas: [Arena] = []
        let operations = CPUOperations()
        let x = Self.matrix(rows: rows, columns: inner, seed: 1, in: &arenas)
        let weight = Self.matrix(rows: outer, columns: inner, seed: 2, in: &arenas)
        let y = Self.matrix(rows: rows, columns: outer, seed: 3, in: &arenas)
        let start = (0..<rows).map { unsafe Array(y.row($0)) }
        operations.linear(y, x, weight: weight, adding: true)
        let dx = Self.matrix(rows: rows, columns: inner, seed: 4, in: &arenas)
        operations.linearInputGradient(dx, y, weight: weight, adding: false)
        let dw = Self.matrix(rows: outer, columns: inner, seed: 5, in: &arenas)
        operations.linearWeightGradient(dw, y, x, adding: false)

        func chain(_ count: Int, from start: Float, _ pair: (Int) -> (Float, Float)) -> UInt32 {
            (0..<count).reduce(start) { sum, k in
                let (a, b) = pair(k)
                return sum.addingProduct(a, b)
            }.bitPattern
        }
        var wrong = 0
        for (m, n) in (0..<rows).flatMap({ m in (0..<outer).map { (m, $0) } }) {
            let expected = chain(inner, from: start[m][n]) { k in
                unsafe (x.row(m)[k], weight.row(n)[k])
            }
            if unsafe y.row(m)[n].bitPattern != expected { wrong += 1 }
        }
        for k in 0..<inner {
            for m in 0..<rows {
                let expected = chain(outer, from: 0) { n in unsafe (y.row(m)[n], weight.row(n)[k]) }
                if unsafe dx.row(m)[k].bitPattern != expected { wrong += 1 }
            }
            for n in 0..<outer {
                let expected = chain(rows, from: 0) { m in unsafe (y.row(m)[n], x.row(m)[k]) }
                if unsafe dw.row(n)[k].bitPattern != expected { wrong += 1 }
            }
        }
        #expect(wrong == 0)
        _ = arenas
    }
}

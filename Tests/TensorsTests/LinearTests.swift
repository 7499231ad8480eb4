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
}

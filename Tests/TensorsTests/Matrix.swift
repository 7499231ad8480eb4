import Tensors
import TestSupport

/// A tensor that owns its memory, with an fp64 copy of what it held when it was made.
struct Matrix {
    let tensor: Tensor
    private let arena: Arena

    init(_ rows: Int, _ columns: Int, _ numbers: inout SeededNumbers, deviation: Float = 1) {
        var plan = ArenaPlan()
        let place = plan.add(rows: rows.roundedUp(to: rowBlock), columns: columns)
        arena = Arena(plan)
        tensor = arena[place].prefix(rows)
        for row in 0..<rows {
            for (column, value) in numbers.normals(columns, deviation: deviation).enumerated() {
                unsafe tensor.row(row)[column] = value
            }
        }
    }

    /// A matrix of zeros.
    init(zeros rows: Int, _ columns: Int) {
        var numbers = SeededNumbers(seed: 0)
        self.init(rows, columns, &numbers, deviation: 0)
    }

    /// The elements as they are now.
    var values: [[Double]] {
        (0..<tensor.rows).map { unsafe tensor.row($0).map { Double($0) } }
    }

    /// The largest difference, as a part of the largest expected element.
    func error(against expected: [[Double]]) -> Double {
        let own = values
        guard own.count == expected.count else { return .infinity }
        let largest = expected.joined().map { abs($0) }.max() ?? 0
        let worst = zip(own.joined(), expected.joined()).map { abs($0 - $1) }.max() ?? 0
        guard own.joined().allSatisfy(\.isFinite) else { return .infinity }
        return worst / max(largest, 1e-30)
    }
}

extension Tape {
    func leaves(_ values: [[Double]]) -> [[Node]] { values.map { $0.map { constant($0) } } }

    /// The gradient of Σ dy · y, read at `leaves`.
    func gradient(
        of y: [[Node]], along dy: [[Double]], at leaves: [[[Node]]]
    ) -> [[[Double]]] {
        let total = zip(y.joined(), dy.joined()).map { scaled($0, $1) }.reduce(constant(0), sum)
        let gradient = gradient(of: total)
        return leaves.map { $0.map { $0.map { gradient[$0] } } }
    }

    func numbers(_ nodes: [[Node]]) -> [[Double]] { nodes.map { $0.map { values[$0] } } }
}

import Tensors

/// What an adapter adds to a projection: y += s B (A x) (LoRA, Hu et al., 2021).
///
/// With a magnitude, the rows of W + s B A are brought to that length (DoRA, Liu et al., 2024).
struct LowRank {
    /// A, [rank, in].
    var down: Parameter
    /// B, [out, rank].
    var up: Parameter
    let scale: Float
    var magnitude: Magnitude?
    let room: Room

    /// The lengths of rows, one row of `out` columns each.
    struct Magnitude {
        /// The lengths that are learned, m.
        var length: Parameter
        /// 1 / ‖row of W + s B A‖, a constant to the backward pass.
        let inverse: Tensor
        /// What rows are multiplied by, m / ‖row of W + s B A‖.
        let factor: Tensor
    }

    /// Memory of a pass, which all projections of a model share.
    struct Room {
        /// For what A makes of x, [tokens, rank].
        let narrow: Tensor
        let narrowGradient: Tensor
        /// One row of as many elements as the largest product has; with magnitudes alone.
        let wide: Tensor?
    }

    /// Writes what projection and adapter make of x together, or adds it to y.
    func forward(
        _ y: Tensor, _ x: Tensor, weight: Tensor, adding: Bool, on operations: any Operations
    ) {
        guard let magnitude else {
            product(y, x, weight: weight, adding: adding, on: operations)
            return
        }
        let z = wide(x.rows, y.columns)
        product(z, x, weight: weight, adding: false, on: operations)
        operations.scaleColumns(z, by: magnitude.factor)
        if adding { operations.add(y, z) } else { y.copy(z) }
    }

    /// Writes the gradients of A, B and m, or adds to them where `accumulating`; then writes dx, or adds to
    /// it where `adding`.
    func backward(
        _ dx: Tensor, _ dy: Tensor, _ x: Tensor, weight: Tensor, adding: Bool, accumulating: Bool,
        on operations: any Operations
    ) {
        var dy = dy
        if let magnitude {
            let z = wide(x.rows, dy.columns)
            product(z, x, weight: weight, adding: false, on: operations)
            if let gradient = magnitude.length.gradient {
                if !accumulating { gradient.clear() }
                operations.addColumnProducts(gradient, dy, z, by: magnitude.inverse)
            }
            z.copy(dy)
            operations.scaleColumns(z, by: magnitude.factor)
            dy = z
        }
        let narrowed = narrowed(x, on: operations)
        if let gradient = up.gradient {
            operations.linearWeightGradient(gradient, dy, narrowed, adding: accumulating)
        }
        let dnarrowed = room.narrowGradient.prefix(x.rows)
        operations.linearInputGradient(dnarrowed, dy, weight: up.values, adding: false)
        operations.scale(dnarrowed, by: scale)
        if let gradient = down.gradient {
            operations.linearWeightGradient(gradient, dnarrowed, x, adding: accumulating)
        }
        operations.linearInputGradient(dx, dy, weight: weight, adding: adding)
        operations.linearInputGradient(dx, dnarrowed, weight: down.values, adding: true)
    }

    /// What weights and adapter make of x: W x + s B A x.
    private func product(
        _ y: Tensor, _ x: Tensor, weight: Tensor, adding: Bool, on operations: any Operations
    ) {
        operations.linear(y, x, weight: weight, adding: adding)
        operations.linear(y, narrowed(x, on: operations), weight: up.values, adding: true)
    }

    /// What B reads: s A x.
    private func narrowed(_ x: Tensor, on operations: any Operations) -> Tensor {
        let narrow = room.narrow.prefix(x.rows)
        operations.linear(narrow, x, weight: down.values, adding: false)
        operations.scale(narrow, by: scale)
        return narrow
    }

    private func wide(_ rows: Int, _ columns: Int) -> Tensor {
        guard let wide = room.wide else { preconditionFailure("no room for magnitudes") }
        let stride = columns.roundedUp(to: 16)
        precondition(rows.roundedUp(to: rowBlock) * stride <= wide.columns)
        return unsafe Tensor(wide.values, rows: rows, columns: columns, stride: stride)
    }

    mutating func visit(_ body: (inout Parameter) -> Void) {
        body(&down)
        body(&up)
        if var own = magnitude {
            body(&own.length)
            magnitude = own
        }
    }
}

extension LowRank {
    /// Computes anew what follows from parameters that changed: the lengths of rows.
    func refresh(weight: Tensor) {
        guard let magnitude else { return }
        unsafe forEachRow(of: weight, adding: up.values, down.values, scale: Double(scale)) {
            index, _, length in
            unsafe magnitude.inverse.row(0)[index] = Float(1 / length)
            unsafe magnitude.factor.row(0)[index] = Float(
                Double(magnitude.length.values.row(0)[index]) / length)
        }
    }

    /// Lets every row have the length that it has without an adapter.
    func initializeMagnitude(weight: Tensor) {
        guard let magnitude else { return }
        unsafe forEachRow(of: weight, adding: up.values, down.values, scale: 0) {
            index, _, length in
            unsafe magnitude.length.values.row(0)[index] = Float(length)
        }
    }

    /// Puts the adapter into `weight`, which has the projection's own values: sums in fp64, rounded once.
    func merge(into weight: Tensor) {
        unsafe forEachRow(of: weight, adding: up.values, down.values, scale: Double(scale)) {
            index, row, length in
            let factor =
                magnitude.map { unsafe Double($0.length.values.row(0)[index]) / length } ?? 1
            let values = unsafe weight.row(index)
            for column in values.indices {
                unsafe values[column] = Float(factor * row[column])
            }
        }
    }
}

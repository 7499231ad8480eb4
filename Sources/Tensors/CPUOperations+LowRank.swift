import CKernels

extension CPUOperations {
    public func scaleColumns(_ x: Tensor, by factors: Tensor) {
        precondition(factors.columns == x.columns)
        unsafe scale_columns_TD(x.values, x.stride, factors.values, x.rows, x.columns)
    }

    public func addColumnProducts(_ sums: Tensor, _ a: Tensor, _ b: Tensor, by factors: Tensor) {
        precondition(a.rows == b.rows && a.columns == b.columns)
        precondition(sums.columns == a.columns && factors.columns == a.columns)
        unsafe add_column_products_D(
            sums.values, factors.values, a.values, a.stride, b.values, b.stride, a.rows, a.columns)
    }
}

/// Gives `body` every row of W + scale · B A, in fp64, with its length.
///
/// - Parameters:
///   - weight: W, [out, in].
///   - up: B, [out, rank].
///   - down: A, [rank, in], whose rows follow each other without a gap.
public func forEachRow(
    of weight: Tensor, adding up: Tensor, _ down: Tensor, scale: Double,
    _ body: (_ index: Int, _ row: UnsafeBufferPointer<Double>, _ length: Double) -> Void
) {
    precondition(up.rows == weight.rows && up.columns == down.rows)
    precondition(down.columns == weight.columns && down.stride == down.columns)
    let row = UnsafeMutableBufferPointer<Double>.allocate(capacity: weight.columns)
    defer { unsafe row.deallocate() }
    for index in 0..<weight.rows {
        let squares = unsafe lowrank_row_I(
            row.baseAddress, weight.row(index).baseAddress, up.row(index).baseAddress, down.values,
            scale, down.rows, weight.columns)
        unsafe body(index, UnsafeBufferPointer(row), squares.squareRoot())
    }
}

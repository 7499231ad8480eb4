import CKernels

/// Cosines and sines of rotary positions: fp64 angles, rounded once.
@safe public final class RotaryTable {
    public let positions: Int
    let cosine: Tensor
    let sine: Tensor
    private let arena: Arena

    /// Computes the angles of `positions` positions for heads of `headDimension` columns.
    public init(positions: Int, headDimension: Int, theta: Double) {
        precondition(headDimension % 2 == 0)
        let half = headDimension / 2
        self.positions = positions
        arena = Arena(count: 2 * positions * half)
        guard let base = unsafe arena.values.baseAddress else { preconditionFailure() }
        unsafe cosine = Tensor(base, rows: positions, columns: half)
        unsafe sine = Tensor(base + positions * half, rows: positions, columns: half)
        unsafe rope_table_PF(cosine.values, sine.values, theta, positions, half)
    }
}

import CKernels

/// The processor's path: by our own kernels, and where the precision is bf16, products by oneDNN.
///
/// In fp32 bits are the same on every processor of an architecture.
public final class CPUOperations: Operations {
    public let profile: NumericProfile
    /// The copies that products in bf16 read; matrices that it has none of are rounded in every call.
    private let weights: PackedWeights?
    private let products: BF16Products?

    /// - Precondition: this machine has the precision of `weights`.
    public init(weights: PackedWeights? = nil) {
        let precision = weights?.precision ?? .fp32
        self.weights = weights
        profile = precision.profile
        products = precision == .bf16 ? BF16Products() : nil
    }

    public func linear(_ y: Tensor, _ x: Tensor, weight: Tensor, adding: Bool) {
        precondition(x.columns == weight.columns && y.columns == weight.rows && x.rows == y.rows)
        if let products {
            if let copy = weights?[weight] {
                unsafe products.multiply(y, x, copy.forward.values, adding: adding)
            } else {
                products.multiply(y, x, unpacked: weight, transposed: false, adding: adding)
            }
            return
        }
        unsafe product_MN(
            y.values, y.stride, x.values, x.stride, 1, weight.values, weight.stride, 1,
            adding ? 1 : 0, y.rows, y.columns, x.columns)
    }

    public func linearInputGradient(_ dx: Tensor, _ dy: Tensor, weight: Tensor, adding: Bool) {
        precondition(
            dx.columns == weight.columns && dy.columns == weight.rows && dx.rows == dy.rows)
        if let products {
            if let backward = weights?[weight]?.backward {
                unsafe products.multiply(dx, dy, backward.values, adding: adding)
            } else {
                products.multiply(dx, dy, unpacked: weight, transposed: true, adding: adding)
            }
            return
        }
        unsafe product_MN(
            dx.values, dx.stride, dy.values, dy.stride, 1, weight.values, 1, weight.stride,
            adding ? 1 : 0, dx.rows, dx.columns, dy.columns)
    }

    public func linearWeightGradient(_ dw: Tensor, _ dy: Tensor, _ x: Tensor, adding: Bool) {
        precondition(dw.rows == dy.columns && dw.columns == x.columns && dy.rows == x.rows)
        if x.rows == 0 {
            if !adding { dw.clear() }
        } else if let products {
            products.outer(dw, dy, x, adding: adding)
        } else {
            unsafe product_MN(
                dw.values, dw.stride, dy.values, 1, dy.stride, x.values, 1, x.stride,
                adding ? 1 : 0, dw.rows, dw.columns, x.rows)
        }
    }

    public func rmsNorm(
        _ y: Tensor, inverse: Tensor, _ x: Tensor, gain: Tensor, offset: Float, epsilon: Float
    ) {
        precondition(y.rows == x.rows && y.columns == x.columns && inverse.columns >= x.rows)
        precondition(gain.columns == x.columns)
        unsafe rmsnorm_forward_TD(
            y.values, y.stride, inverse.values, x.values, x.stride, gain.values, offset, epsilon,
            x.rows, x.columns)
    }

    public func rmsNormGradient(
        _ dx: Tensor, _ dgain: Tensor, _ dy: Tensor, _ x: Tensor, inverse: Tensor, gain: Tensor,
        offset: Float
    ) {
        precondition(dx.rows == x.rows && dy.rows == x.rows && inverse.columns >= x.rows)
        precondition(dx.columns == x.columns && dy.columns == x.columns)
        unsafe rmsnorm_backward_TD(
            dx.values, dx.stride, dgain.values, dy.values, dy.stride, x.values, x.stride,
            inverse.values, gain.values, offset, x.rows, x.columns)
    }

    public func rotate(_ x: Tensor, positions: [Int32], table: RotaryTable, backwards: Bool) {
        let dimension = 2 * table.cosine.columns
        precondition(positions.count == x.rows && x.columns % dimension == 0)
        precondition(positions.allSatisfy { $0 >= 0 && $0 < table.positions })
        unsafe positions.withUnsafeBufferPointer { positions in
            unsafe rope_rotate_THD(
                x.values, x.stride, positions.baseAddress, table.cosine.values, table.sine.values,
                backwards ? -1 : 1, x.rows, x.columns / dimension, dimension)
        }
    }

    public func gather(_ y: Tensor, _ x: Tensor, rows: [Int32]) {
        precondition(rows.count == y.rows && y.columns == x.columns)
        precondition(rows.allSatisfy { $0 >= 0 && $0 < x.rows })
        unsafe rows.withUnsafeBufferPointer { rows in
            unsafe gather_rows_TD(
                y.values, y.stride, x.values, x.stride, rows.baseAddress, y.rows, y.columns)
        }
    }

    public func scatterAdd(_ y: Tensor, _ x: Tensor, rows: [Int32]) {
        precondition(rows.count == x.rows && y.columns == x.columns)
        precondition(rows.allSatisfy { $0 >= 0 && $0 < y.rows })
        unsafe rows.withUnsafeBufferPointer { rows in
            unsafe scatter_add_rows_TD(
                y.values, y.stride, x.values, x.stride, rows.baseAddress, x.rows, x.columns)
        }
    }

    public func logProbabilities(_ logits: Tensor, targets: [Int32], u: [Float]?) -> [Double] {
        precondition(targets.count == logits.rows && (u?.count ?? logits.rows) == logits.rows)
        var result = [Double](repeating: 0, count: logits.rows)
        let weights = u ?? []
        unsafe weights.withUnsafeBufferPointer { weights in
            unsafe head_logp_RV(
                &result, logits.values, logits.stride, targets,
                u == nil ? nil : weights.baseAddress, logits.rows, logits.columns)
        }
        return result
    }

    public func distillScores(
        _ logits: Tensor, targets: [Int32], teacher: TeacherRows, mix: Float, u: [Float]?
    ) -> [Double] {
        precondition(targets.count == logits.rows && (u?.count ?? logits.rows) == logits.rows)
        precondition(teacher.count == logits.rows)
        precondition(teacher.tokens.allSatisfy { $0 >= 0 && $0 < logits.columns })
        var result = [Double](repeating: 0, count: logits.rows)
        let weights = u ?? []
        unsafe weights.withUnsafeBufferPointer { weights in
            unsafe head_distill_RV(
                &result, logits.values, logits.stride, targets,
                u == nil ? nil : weights.baseAddress, teacher.starts, teacher.tokens,
                teacher.logProbabilities, mix, logits.rows, logits.columns)
        }
        return result
    }

    public func argmax(_ x: Tensor) -> [Int32] {
        (0..<x.rows).map { unsafe argmax_V(x.row($0).baseAddress, x.columns) }
    }

    public func softmax(_ x: Tensor, scale: Float) {
        for index in 0..<x.rows { unsafe softmax_V(x.row(index).baseAddress, scale, x.columns) }
    }
}

/// Runs `body` with subnormal numbers taken as zero on this thread.
public func withFlushedSubnormals<Result>(_ body: () -> Result) -> Result {
    let mode = kernels_enter()
    defer { kernels_leave(mode) }
    return body()
}

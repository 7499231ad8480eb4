import Tensors

/// A tensor of parameters, and where its gradient goes.
struct Parameter {
    var values: Tensor
    /// nil where nobody asks for one: the parameter is frozen, or the pass goes forward only.
    var gradient: Tensor?
    /// Who takes the gradient at once, since its room is that of other gradients too; nil where it has
    /// its own.
    var sink: (any GradientSink)?
    /// Its first element's place in the flat parameter space.
    let offset: Int

    /// The same parameter, whose gradient lies at its own offset in `buffer`.
    func accumulating(into buffer: UnsafeMutablePointer<Float>) -> Self {
        var copy = self
        unsafe copy.gradient = Tensor(
            buffer + offset, rows: values.rows, columns: values.columns, stride: values.stride)
        return copy
    }

    /// The gradient is complete.
    func deliver() {
        if let sink, let gradient { sink.add(gradient, at: offset) }
    }
}

/// A projection y = x Wᵀ + b: the one place where a decoder multiplies by weights, and where it
/// differentiates that.
///
/// What makes a projection more than its weights (an adapter beside it, copies in another precision
/// or layout) belongs here, so that no layer knows of it.
struct Linear {
    /// A row for each output, a column for each input.
    var weight: Parameter
    /// One row of `out` columns.
    var bias: Parameter?
    /// What is trained beside the weights, which are frozen then.
    var adapter: LowRank?

    /// Writes y, or adds to it.
    func forward(_ y: Tensor, _ x: Tensor, adding: Bool = false, on operations: any Operations) {
        if let adapter {
            adapter.forward(y, x, weight: weight.values, adding: adding, on: operations)
        } else {
            operations.linear(y, x, weight: weight.values, adding: adding)
        }
        if let bias { operations.addRow(y, bias.values) }
    }

    /// Writes the gradients of weight and bias, or adds to them where `accumulating`; then writes
    /// dx = dy W, or adds to it where `adding`.
    func backward(
        _ dx: Tensor, _ dy: Tensor, _ x: Tensor, adding: Bool = false, accumulating: Bool = false,
        on operations: any Operations
    ) {
        if let gradient = weight.gradient {
            operations.linearWeightGradient(gradient, dy, x, adding: accumulating)
            weight.deliver()
        }
        if let gradient = bias?.gradient {
            if !accumulating { gradient.clear() }
            operations.addColumnSums(gradient, dy)
        }
        if let adapter {
            adapter.backward(
                dx, dy, x, weight: weight.values, adding: adding, accumulating: accumulating,
                on: operations)
        } else {
            operations.linearInputGradient(dx, dy, weight: weight.values, adding: adding)
        }
    }

    mutating func visit(_ body: (inout Parameter) -> Void) {
        body(&weight)
        if var own = bias {
            body(&own)
            bias = own
        }
    }
}

/// A root-mean-square norm with a gain: y = x / rms(x) · (gain + offset).
struct Norm {
    var gain: Parameter
    /// 1 where weights are differences from 1 (Gemma), else 0.
    let offset: Float
    let epsilon: Float

    /// Writes y and, for the backward pass, what x was multiplied by: one number a row.
    func forward(_ y: Tensor, inverse: Tensor, _ x: Tensor, on operations: any Operations) {
        operations.rmsNorm(
            y, inverse: inverse, x, gain: gain.values, offset: offset, epsilon: epsilon)
    }

    /// Adds to dx, and to the gain's gradient; `scratch` has a row as long as the gain.
    func backward(
        _ dx: Tensor, _ dy: Tensor, _ x: Tensor, inverse: Tensor, scratch: Tensor,
        on operations: any Operations
    ) {
        operations.rmsNormGradient(
            dx, gain.gradient ?? scratch.columns(0..<x.columns), dy, x, inverse: inverse,
            gain: gain.values, offset: offset)
    }

    mutating func visit(_ body: (inout Parameter) -> Void) { body(&gain) }
}

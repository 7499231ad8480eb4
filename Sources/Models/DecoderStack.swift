import Tensors

/// The layers of a decoder over one set of activations: the forward pass, written once for
/// training, scoring and decoding, which differ only in where keys and values are kept.
struct DecoderStack {
    let configuration: LlamaConfiguration
    let operations: any Operations
    let weights: LlamaTensors
    let activations: LlamaActivations
    let rotary: RotaryTable

    /// Attention of one layer: reads the projected heads, writes the output and log-sum-exps.
    typealias Attend = (_ layer: Int, ProjectedHeads, _ output: Tensor, _ logSumExp: Tensor) -> Void

    /// Runs the layers over `tokens`; what follows the last attention only for rows `selected`.
    ///
    /// Returns the last layer's output for the selected rows, ascending, before the final norm.
    func forward(
        tokens: [Int32], positions: [Int32], selected: [Int32], attend: Attend
    ) -> Tensor {
        let count = tokens.count
        operations.gather(
            activations.layers[0].input.prefix(count), weights.embedding, rows: tokens)
        for index in 0..<configuration.layers {
            let layer = activations.layers[index]
            project(index, rows: count, positions: positions)
            attend(
                index, layer.projected.rows(0..<count), layer.attention.prefix(count),
                layer.logSumExp.prefix(count))
            let isLast = index == configuration.layers - 1
            let output = isLast ? activations.output : activations.layers[index + 1].input
            let attention = isLast ? activations.selectedAttention : layer.attention
            let rows = isLast ? selected.count : count
            if isLast {
                // Ascending rows never overtake: where both are one tensor, gathering is in place.
                operations.gather(layer.middle.prefix(rows), layer.input, rows: selected)
                operations.gather(attention.prefix(rows), layer.attention, rows: selected)
            } else {
                layer.middle.prefix(rows).copy(layer.input.prefix(rows))
            }
            feed(index, attention: attention, output: output, rows: rows)
        }
        return activations.output.prefix(selected.count)
    }

    /// Normalises the layer's input and projects it to rotated queries and keys, and values.
    private func project(_ index: Int, rows: Int, positions: [Int32]) {
        let (layer, weight) = (activations.layers[index], weights.layers[index])
        let projected = layer.projected.rows(0..<rows)
        let normed = normalizedInput(index, rows: rows)
        operations.linear(projected.queries, normed, weight: weight.queries, adding: false)
        operations.linear(projected.keys, normed, weight: weight.keys, adding: false)
        operations.linear(projected.values, normed, weight: weight.values, adding: false)
        operations.rotate(
            projected.queries, positions: positions, table: rotary, backwards: false)
        operations.rotate(projected.keys, positions: positions, table: rotary, backwards: false)
    }

    /// Adds the attention's output to `middle`, then the gated layer's, into `output`.
    private func feed(_ index: Int, attention: Tensor, output: Tensor, rows: Int) {
        let (layer, weight) = (activations.layers[index], weights.layers[index])
        let middle = layer.middle.prefix(rows)
        operations.linear(middle, attention.prefix(rows), weight: weight.output, adding: true)
        let normed = normalizedMiddle(index, rows: rows)
        let (gate, up) = (layer.gate.prefix(rows), layer.up.prefix(rows))
        operations.linear(gate, normed, weight: weight.gate, adding: false)
        operations.linear(up, normed, weight: weight.up, adding: false)
        operations.gatedActivation(activations.gated.prefix(rows), gate: gate, up: up)
        output.prefix(rows).copy(middle)
        operations.linear(
            output.prefix(rows), activations.gated.prefix(rows), weight: weight.down, adding: true)
    }

    /// What the layer's projections read; computed anew in the backward pass.
    func normalizedInput(_ index: Int, rows: Int) -> Tensor {
        let normed = activations.normed.prefix(rows)
        operations.rmsNorm(
            normed, inverse: activations.layers[index].inputInverse,
            activations.layers[index].input.prefix(rows), gain: weights.layers[index].inputNorm,
            epsilon: Float(configuration.normEpsilon))
        return normed
    }

    /// What gate and up read; computed anew in the backward pass.
    func normalizedMiddle(_ index: Int, rows: Int) -> Tensor {
        let normed = activations.normed.prefix(rows)
        operations.rmsNorm(
            normed, inverse: activations.layers[index].middleInverse,
            activations.layers[index].middle.prefix(rows), gain: weights.layers[index].middleNorm,
            epsilon: Float(configuration.normEpsilon))
        return normed
    }

    /// The final norm of the selected rows, and their logits, some rows at a time.
    func head(
        _ output: Tensor, _ body: (_ rows: Range<Int>, _ normed: Tensor, _ logits: Tensor) -> Void
    ) {
        let normed = activations.normed.prefix(output.rows)
        operations.rmsNorm(
            normed, inverse: activations.outputInverse, output, gain: weights.norm,
            epsilon: Float(configuration.normEpsilon))
        for start in stride(from: 0, to: output.rows, by: LlamaActivations.headRows) {
            let rows = start..<min(start + LlamaActivations.headRows, output.rows)
            let logits = activations.logits.prefix(rows.count)
            operations.linear(logits, normed.rows(rows), weight: weights.head, adding: false)
            body(rows, normed.rows(rows), logits)
        }
    }
}

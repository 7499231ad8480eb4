import Tensors

extension DecoderStack {
    /// Where a document lies in its row.
    typealias Documents = [Range<Int>]

    /// Carries the gradient of the selected rows' output, in `gradients.selected`, back to the
    /// embedding; `gradient` is zero where sums are added: norms and embedding.
    func backward(
        tokens: [Int32], positions: [Int32], documents: Documents, selected: [Int32],
        into gradient: LlamaTensors
    ) {
        guard let own = activations.gradients else {
            preconditionFailure("a model made without isTraining has no backward pass")
        }
        let stream = own.stream.prefix(tokens.count)
        let attention = own.attention.prefix(tokens.count)
        for index in (0..<configuration.layers).reversed() {
            let layer = activations.layers[index]
            if index == configuration.layers - 1 {
                let source = activations.selectedAttention.prefix(selected.count)
                operations.gather(source, layer.attention, rows: selected)
                let (part, partAttention) = (
                    own.selected.prefix(selected.count),
                    own.selectedAttention.prefix(selected.count)
                )
                feedBackward(index, stream: part, source, dattention: partAttention, gradient)
                stream.clear()
                attention.clear()
                operations.scatterAdd(stream, part, rows: selected)
                operations.scatterAdd(attention, partAttention, rows: selected)
            } else {
                feedBackward(
                    index, stream: stream, layer.attention.prefix(tokens.count),
                    dattention: attention, gradient)
            }
            attendBackward(index, documents: documents)
            projectBackward(index, stream: stream, positions: positions, gradient)
        }
        operations.scatterAdd(gradient.embedding, stream, rows: tokens)
    }

    /// Back through the gated layer and the attention's output projection.
    ///
    /// `stream` is the gradient of the layer's output and becomes that of its residual input.
    private func feedBackward(
        _ index: Int, stream: Tensor, _ attention: Tensor, dattention: Tensor,
        _ gradient: LlamaTensors
    ) {
        guard let own = activations.gradients else { return }
        let (layer, weight) = (activations.layers[index], weights.layers[index])
        let (dweight, rows) = (gradient.layers[index], stream.rows)
        let (gate, up) = (layer.gate.prefix(rows), layer.up.prefix(rows))
        let gated = activations.gated.prefix(rows)
        let (dgated, dnormed) = (own.gated.prefix(rows), own.normed.prefix(rows))

        operations.gatedActivation(gated, gate: gate, up: up)
        operations.linearWeightGradient(dweight.down, stream, gated, adding: false)
        operations.linearInputGradient(dgated, stream, weight: weight.down, adding: false)
        operations.gatedActivationGradient(gate: gate, up: up, dgated)

        let normed = normalizedMiddle(index, rows: rows)
        operations.linearWeightGradient(dweight.gate, gate, normed, adding: false)
        operations.linearWeightGradient(dweight.up, up, normed, adding: false)
        operations.linearInputGradient(dnormed, gate, weight: weight.gate, adding: false)
        operations.linearInputGradient(dnormed, up, weight: weight.up, adding: true)
        operations.rmsNormGradient(
            stream, dweight.middleNorm, dnormed, layer.middle.prefix(rows),
            inverse: layer.middleInverse, gain: weight.middleNorm)

        operations.linearWeightGradient(dweight.output, stream, attention, adding: false)
        operations.linearInputGradient(dattention, stream, weight: weight.output, adding: false)
    }

    /// Back through attention, document by document.
    private func attendBackward(_ index: Int, documents: Documents) {
        guard let own = activations.gradients else { return }
        let layer = activations.layers[index]
        for document in documents {
            operations.attendGradient(
                own.projected.rows(document), own.attention.rows(document),
                of: layer.projected.rows(document), output: layer.attention.rows(document),
                logSumExp: layer.logSumExp.rows(document), scratch: own.scratch,
                shape: configuration.attention)
        }
    }

    /// Back through rotation, projections and the input norm; adds to `stream`.
    private func projectBackward(
        _ index: Int, stream: Tensor, positions: [Int32], _ gradient: LlamaTensors
    ) {
        guard let own = activations.gradients else { return }
        let (layer, weight) = (activations.layers[index], weights.layers[index])
        let (dweight, rows) = (gradient.layers[index], stream.rows)
        let dprojected = own.projected.rows(0..<rows)
        let dnormed = own.normed.prefix(rows)
        operations.rotate(
            dprojected.queries, positions: positions, table: rotary, backwards: true)
        operations.rotate(dprojected.keys, positions: positions, table: rotary, backwards: true)

        let normed = normalizedInput(index, rows: rows)
        let pairs = [
            (dprojected.queries, weight.queries, dweight.queries),
            (dprojected.keys, weight.keys, dweight.keys),
            (dprojected.values, weight.values, dweight.values),
        ]
        for (number, (dy, weight, dweight)) in pairs.enumerated() {
            operations.linearWeightGradient(dweight, dy, normed, adding: false)
            operations.linearInputGradient(dnormed, dy, weight: weight, adding: number > 0)
        }
        operations.rmsNormGradient(
            stream, dweight.inputNorm, dnormed, layer.input.prefix(rows),
            inverse: layer.inputInverse, gain: weight.inputNorm)
    }

    /// The final norm's gradient: from `gradients.normed` into `gradients.selected`.
    func normBackward(_ output: Tensor, into gradient: LlamaTensors) {
        guard let own = activations.gradients else { return }
        let selected = own.selected.prefix(output.rows)
        selected.clear()
        operations.rmsNormGradient(
            selected, gradient.norm, own.normed.prefix(output.rows), output,
            inverse: activations.outputInverse, gain: weights.norm)
    }
}

import Tensors

extension DecoderStack {
    /// Where a document lies in its row.
    typealias Documents = [Range<Int>]

    /// Carries the gradient of the selected rows' output, in `gradients.selected`, back to the
    /// embedding.
    ///
    /// `weights` are the parameters with their gradients, which are zero where sums are added: those
    /// of norms and of the embedding.
    func backward(
        tokens: [Int32], positions: [Int32], documents: Documents, selected: [Int32],
        _ weights: TransformerTensors
    ) {
        guard let own = activations.gradients else {
            preconditionFailure("a model made without isTraining has no backward pass")
        }
        let stream = own.stream.prefix(tokens.count)
        let attention = own.attention.prefix(tokens.count)
        for index in (0..<configuration.layers).reversed() {
            let (layer, weight) = (activations.layers[index], weights.layers[index])
            if index == configuration.layers - 1 {
                let source = activations.selectedAttention.prefix(selected.count)
                operations.gather(source, layer.attention, rows: selected)
                let (part, partAttention) = (
                    own.selected.prefix(selected.count),
                    own.selectedAttention.prefix(selected.count)
                )
                feedBackward(index, stream: part, source, dattention: partAttention, weight)
                stream.clear()
                attention.clear()
                operations.scatterAdd(stream, part, rows: selected)
                operations.scatterAdd(attention, partAttention, rows: selected)
            } else {
                feedBackward(
                    index, stream: stream, layer.attention.prefix(tokens.count),
                    dattention: attention, weight)
            }
            attendBackward(index, documents: documents)
            projectBackward(index, stream: stream, positions: positions, weight)
        }
        guard let gradient = weights.embedding.gradient else { return }
        if let scale = configuration.embeddingScale { operations.scale(stream, by: scale) }
        operations.scatterAdd(gradient, stream, rows: tokens)
    }

    /// Back through the gated layer and the attention's output projection.
    ///
    /// `stream` is the gradient of the layer's output and becomes that of its residual input.
    private func feedBackward(
        _ index: Int, stream: Tensor, _ attention: Tensor, dattention: Tensor,
        _ weight: TransformerTensors.Layer
    ) {
        guard let own = activations.gradients else { return }
        let (layer, rows) = (activations.layers[index], stream.rows)
        let (gate, up) = (layer.gate.prefix(rows), layer.up.prefix(rows))
        let gated = activations.gated.prefix(rows)
        let (dgated, dnormed) = (own.gated.prefix(rows), own.normed.prefix(rows))

        operations.gatedActivation(gated, gate: gate, up: up, configuration.activation)
        let dfeed = branchGradient(stream, weight.feedNorm, layer.feedBranch)
        weight.down.backward(dgated, dfeed, gated, on: operations)
        operations.gatedActivationGradient(
            gate: gate, up: up, dgated, configuration.activation)

        let normed = normalizedMiddle(index, rows: rows)
        weight.gate.backward(dnormed, gate, normed, on: operations)
        weight.up.backward(dnormed, up, normed, adding: true, on: operations)
        weight.middleNorm.backward(
            stream, dnormed, layer.middle.prefix(rows), inverse: layer.middleInverse,
            scratch: own.gain, on: operations)

        let dbranch = branchGradient(stream, weight.attentionNorm, layer.attentionBranch)
        weight.output.backward(dattention, dbranch, attention, on: operations)
    }

    /// The gradient of what a projection added to the stream: the stream's own, or, where it was
    /// normed before, that through the norm.
    private func branchGradient(
        _ stream: Tensor, _ norm: Norm?, _ branch: Activations.Branch?
    ) -> Tensor {
        guard let norm, let branch, let own = activations.gradients, let room = own.branch else {
            return stream
        }
        let gradient = room.prefix(stream.rows)
        gradient.clear()
        norm.backward(
            gradient, stream, branch.output.prefix(stream.rows), inverse: branch.inverse,
            scratch: own.gain, on: operations)
        return gradient
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
                shape: configuration.attention(index))
        }
    }

    /// Back through rotation, projections and the input norm; adds to `stream`.
    private func projectBackward(
        _ index: Int, stream: Tensor, positions: [Int32], _ weight: TransformerTensors.Layer
    ) {
        guard let own = activations.gradients else { return }
        let (layer, rows) = (activations.layers[index], stream.rows)
        let dprojected = own.projected.rows(0..<rows)
        let dnormed = own.normed.prefix(rows)
        let table = rotary[index]
        operations.rotate(dprojected.queries, positions: positions, table: table, backwards: true)
        operations.rotate(dprojected.keys, positions: positions, table: table, backwards: true)
        let dplain = headNormBackward(layer, dprojected, weight)

        let normed = normalizedInput(index, rows: rows)
        weight.queries.backward(dnormed, dplain.queries, normed, on: operations)
        weight.keys.backward(dnormed, dplain.keys, normed, adding: true, on: operations)
        weight.values.backward(dnormed, dprojected.values, normed, adding: true, on: operations)
        weight.inputNorm.backward(
            stream, dnormed, layer.input.prefix(rows), inverse: layer.inputInverse,
            scratch: own.gain, on: operations)
    }

    /// The gradient of queries and keys before every head was normed; itself where none was.
    private func headNormBackward(
        _ layer: Activations.Layer, _ dprojected: ProjectedHeads,
        _ weight: TransformerTensors.Layer
    ) -> ProjectedHeads {
        let rows = 0..<dprojected.queries.rows
        guard let own = activations.gradients, let dplain = own.unnormed?.rows(rows),
            let plain = layer.unnormed?.rows(rows), let inverse = layer.headInverse,
            let queries = weight.queryNorm, let keys = weight.keyNorm
        else { return dprojected }
        for (norm, dx, dy, x, inverse) in [
            (queries, dplain.queries, dprojected.queries, plain.queries, inverse.queries),
            (keys, dplain.keys, dprojected.keys, plain.keys, inverse.keys),
        ] {
            dx.clear()
            eachHead(inverse, dx, dy, x) { inverse, it in
                norm.backward(
                    it[0], it[1], it[2], inverse: inverse, scratch: own.gain, on: operations)
            }
        }
        return dplain
    }

    /// The final norm's gradient: from `gradients.normed` into `gradients.selected`.
    func normBackward(_ output: Tensor, _ weights: TransformerTensors) {
        guard let own = activations.gradients else { return }
        let selected = own.selected.prefix(output.rows)
        selected.clear()
        weights.norm.backward(
            selected, own.normed.prefix(output.rows), output,
            inverse: activations.outputInverse, scratch: own.gain, on: operations)
    }

    /// Back through the head: from the logits' gradient to that of what the head read.
    func headBackward(
        _ dlogits: Tensor, _ normed: Tensor, rows: Range<Int>, _ weights: TransformerTensors
    ) {
        guard let own = activations.gradients else { return }
        if let cap = configuration.logitCap, let capped = activations.cappedLogits {
            operations.softcapGradient(dlogits, capped.prefix(rows.count), cap: Float(cap))
        }
        weights.head.backward(
            own.normed.rows(rows), dlogits, normed, accumulating: true, on: operations)
    }
}

import Tensors

/// The layers of a decoder over one set of activations: the forward pass, written once for
/// training, scoring and decoding, which differ only in where keys and values are kept.
struct DecoderStack {
    let configuration: TransformerConfiguration
    let operations: any Operations
    let weights: TransformerTensors
    let activations: Activations
    let rotary: Rotation

    /// Attention of one layer: reads the projected heads, writes the output and log-sum-exps.
    typealias Attend = (_ layer: Int, ProjectedHeads, _ output: Tensor, _ logSumExp: Tensor) -> Void

    /// Runs the layers over `tokens`; what follows the last attention only for rows `selected`.
    ///
    /// Returns the last layer's output for the selected rows, ascending, before the final norm.
    func forward(
        tokens: [Int32], positions: [Int32], selected: [Int32], attend: Attend
    ) -> Tensor {
        let count = tokens.count
        let first = activations.layers[0].input.prefix(count)
        operations.gather(first, weights.embedding.values, rows: tokens)
        if let scale = configuration.embeddingScale { operations.scale(first, by: scale) }
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
        let plain = layer.unnormed?.rows(0..<rows) ?? projected
        weight.queries.forward(plain.queries, normed, on: operations)
        weight.keys.forward(plain.keys, normed, on: operations)
        weight.values.forward(projected.values, normed, on: operations)
        if let inverse = layer.headInverse, let queries = weight.queryNorm,
            let keys = weight.keyNorm
        {
            eachHead(inverse.queries, projected.queries, plain.queries) { inverse, it in
                queries.forward(it[0], inverse: inverse, it[1], on: operations)
            }
            eachHead(inverse.keys, projected.keys, plain.keys) { inverse, it in
                keys.forward(it[0], inverse: inverse, it[1], on: operations)
            }
        }
        let table = rotary[index]
        operations.rotate(projected.queries, positions: positions, table: table, backwards: false)
        operations.rotate(projected.keys, positions: positions, table: table, backwards: false)
    }

    /// Calls `body` for every head, with its row of `inverse` and its columns of `all`.
    func eachHead(
        _ inverse: Tensor, _ all: Tensor..., body: (_ inverse: Tensor, _ all: [Tensor]) -> Void
    ) {
        let size = configuration.headDimension
        for head in 0..<(all[0].columns / size) {
            let columns = (head * size)..<((head + 1) * size)
            body(inverse.rows(head..<(head + 1)), all.map { $0.columns(columns) })
        }
    }

    /// Adds the attention's output to `middle`, then the gated layer's, into `output`.
    private func feed(_ index: Int, attention: Tensor, output: Tensor, rows: Int) {
        let (layer, weight) = (activations.layers[index], weights.layers[index])
        let middle = layer.middle.prefix(rows)
        add(
            weight.output, attention.prefix(rows), to: middle, weight.attentionNorm,
            layer.attentionBranch)
        let normed = normalizedMiddle(index, rows: rows)
        let (gate, up) = (layer.gate.prefix(rows), layer.up.prefix(rows))
        weight.gate.forward(gate, normed, on: operations)
        weight.up.forward(up, normed, on: operations)
        let gated = activations.gated.prefix(rows)
        operations.gatedActivation(gated, gate: gate, up: up, configuration.activation)
        output.prefix(rows).copy(middle)
        add(weight.down, gated, to: output.prefix(rows), weight.feedNorm, layer.feedBranch)
    }

    /// Adds what `linear` makes of x to the stream, normed where there is a norm.
    private func add(
        _ linear: Linear, _ x: Tensor, to stream: Tensor, _ norm: Norm?,
        _ branch: Activations.Branch?
    ) {
        guard let norm, let branch else {
            linear.forward(stream, x, adding: true, on: operations)
            return
        }
        let (own, normed) = (
            branch.output.prefix(x.rows), activations.normed.prefix(x.rows)
        )
        linear.forward(own, x, on: operations)
        norm.forward(normed, inverse: branch.inverse, own, on: operations)
        operations.add(stream, normed)
    }

    /// What the layer's projections read; computed anew in the backward pass.
    func normalizedInput(_ index: Int, rows: Int) -> Tensor {
        let (normed, layer) = (activations.normed.prefix(rows), activations.layers[index])
        weights.layers[index].inputNorm.forward(
            normed, inverse: layer.inputInverse, layer.input.prefix(rows), on: operations)
        return normed
    }

    /// What gate and up read; computed anew in the backward pass.
    func normalizedMiddle(_ index: Int, rows: Int) -> Tensor {
        let (normed, layer) = (activations.normed.prefix(rows), activations.layers[index])
        weights.layers[index].middleNorm.forward(
            normed, inverse: layer.middleInverse, layer.middle.prefix(rows), on: operations)
        return normed
    }

    /// The final norm of the selected rows, and their logits, some rows at a time.
    func head(
        _ output: Tensor, _ body: (_ rows: Range<Int>, _ normed: Tensor, _ logits: Tensor) -> Void
    ) {
        let normed = activations.normed.prefix(output.rows)
        weights.norm.forward(
            normed, inverse: activations.outputInverse, output, on: operations)
        for start in stride(from: 0, to: output.rows, by: Activations.headRows) {
            let rows = start..<min(start + Activations.headRows, output.rows)
            let logits = activations.logits.prefix(rows.count)
            weights.head.forward(logits, normed.rows(rows), on: operations)
            if let cap = configuration.logitCap {
                operations.softcap(logits, cap: Float(cap))
                activations.cappedLogits?.prefix(rows.count).copy(logits)
            }
            body(rows, normed.rows(rows), logits)
        }
    }
}

/// The tables of a decoder's rotations: one, or another for the layers that slide.
struct Rotation {
    private let tables: [RotaryTable]
    private let places: [Int]

    init(_ configuration: TransformerConfiguration, positions: Int) {
        let settings = [configuration.rotary] + (configuration.slidingRotary.map { [$0] } ?? [])
        tables = settings.map {
            RotaryTable(positions: positions, headDimension: configuration.headDimension, $0)
        }
        places = (0..<configuration.layers).map {
            configuration.slidingRotary != nil && configuration.slides($0) ? 1 : 0
        }
    }

    /// The table of a layer.
    subscript(layer: Int) -> RotaryTable { tables[places[layer]] }
}

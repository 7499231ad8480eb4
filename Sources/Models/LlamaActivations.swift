import Tensors

/// The memory of a decoder's passes: planned and taken once.
///
/// A training plan keeps, for every layer, what the backward pass reads, and recomputes norms and
/// the gated product. Without training all layers share one set, and the residual stream is
/// updated in place.
struct LlamaActivations {
    struct Layer {
        let input: Tensor
        let inputInverse: Tensor
        let projected: ProjectedHeads
        let attention: Tensor
        let logSumExp: Tensor
        let middle: Tensor
        let middleInverse: Tensor
        let gate: Tensor
        let up: Tensor
    }

    /// What only the backward pass needs.
    struct Gradients {
        let stream: Tensor
        let selected: Tensor
        let normed: Tensor
        let gated: Tensor
        let attention: Tensor
        let selectedAttention: Tensor
        let projected: ProjectedHeads
        let scratch: Tensor
    }

    /// Logits exist for this many rows at a time; the order in which the head's gradient is
    /// added depends on it.
    static let headRows = 2 * rowBlock

    let layers: [Layer]
    let output: Tensor
    let outputInverse: Tensor
    let normed: Tensor
    let gated: Tensor
    let selectedAttention: Tensor
    let logits: Tensor
    /// Keys and values of the document at hand, for passes that keep none.
    let cache: Tensor
    let gradients: Gradients?
    private let arena: Arena

    init(
        _ configuration: LlamaConfiguration, rowTokensMax: Int, documentTokensMax: Int,
        isTraining: Bool
    ) {
        let plan = Plan(
            configuration, rowTokensMax: rowTokensMax, documentTokensMax: documentTokensMax,
            isTraining: isTraining)
        let arena = Arena(plan.arena)
        self.arena = arena
        layers = (0..<configuration.layers).map { index in
            plan.saved[isTraining ? index : 0]
                .layer(in: arena, input: arena[plan.streams[isTraining ? index : 0]])
        }
        output = arena[plan.streams[isTraining ? configuration.layers : 0]]
        outputInverse = arena[plan.outputInverse]
        (normed, gated) = (arena[plan.normed], arena[plan.gated])
        selectedAttention = arena[plan.selectedAttention]
        (logits, cache) = (arena[plan.logits], arena[plan.cache])
        gradients = plan.projected.map { projected in
            Gradients(
                stream: arena[plan.backward[0]], selected: arena[plan.backward[1]],
                normed: arena[plan.backward[2]], gated: arena[plan.backward[3]],
                attention: arena[plan.backward[4]], selectedAttention: arena[plan.backward[5]],
                projected: projected.heads(in: arena), scratch: arena[plan.scratch])
        }
    }
}

extension LlamaActivations {
    /// Where everything will lie, before any memory is taken.
    struct Plan {
        var arena = ArenaPlan()
        fileprivate let streams: [ArenaPlan.Place]
        fileprivate let saved: [LayerPlaces]
        fileprivate let normed: ArenaPlan.Place
        fileprivate let gated: ArenaPlan.Place
        fileprivate let selectedAttention: ArenaPlan.Place
        fileprivate let outputInverse: ArenaPlan.Place
        fileprivate let logits: ArenaPlan.Place
        fileprivate let cache: ArenaPlan.Place
        fileprivate let backward: [ArenaPlan.Place]
        fileprivate let projected: ProjectedPlaces?
        fileprivate let scratch: ArenaPlan.Place

        init(
            _ configuration: LlamaConfiguration, rowTokensMax: Int, documentTokensMax: Int,
            isTraining: Bool
        ) {
            let it = configuration
            let rows = max(rowTokensMax, 1).roundedUp(to: rowBlock)
            var plan = ArenaPlan()
            func matrix(_ columns: Int) -> ArenaPlan.Place {
                plan.add(rows: rows, columns: columns)
            }
            func vector(_ columns: Int) -> ArenaPlan.Place { plan.add(rows: 1, columns: columns) }
            func heads() -> ProjectedPlaces {
                let keys = it.keyValueHeads * it.headDimension
                return ProjectedPlaces(
                    place: matrix(it.heads * it.headDimension + 2 * keys), keys: keys)
            }
            let attentionColumns = it.heads * it.headDimension
            let streams = (0...(isTraining ? it.layers : 0)).map { _ in matrix(it.hidden) }
            self.streams = streams
            saved = (0..<(isTraining ? it.layers : 1)).map { _ in
                LayerPlaces(
                    inputInverse: vector(rows), projected: heads(),
                    attention: matrix(attentionColumns), logSumExp: matrix(it.heads),
                    middle: isTraining ? matrix(it.hidden) : streams[0],
                    middleInverse: vector(rows), gate: matrix(it.intermediate),
                    up: matrix(it.intermediate))
            }
            (normed, gated) = (matrix(it.hidden), matrix(it.intermediate))
            selectedAttention = matrix(attentionColumns)
            outputInverse = vector(rows)
            logits = plan.add(rows: headRows, columns: it.vocabulary)
            cache = plan.add(
                rows: it.keyValueHeads,
                columns: it.attention.cacheColumns(tokens: documentTokensMax))
            backward =
                isTraining
                ? [
                    it.hidden, it.hidden, it.hidden, it.intermediate, attentionColumns,
                    attentionColumns,
                ]
                .map(matrix) : []
            projected = isTraining ? heads() : nil
            scratch = vector(isTraining ? it.attention.scratchCount(tokens: rowTokensMax) : 0)
            arena = plan
        }
    }
}

extension LlamaConfiguration {
    /// Bytes that a model of this shape takes beside its parameters, to train on rows of so many tokens.
    public func trainingBytes(rowTokens: Int) -> Int {
        let plan = LlamaActivations.Plan(
            self, rowTokensMax: rowTokens, documentTokensMax: rowTokens, isTraining: true)
        return plan.arena.count * MemoryLayout<Float>.stride
    }
}

/// Queries, keys and values side by side in one matrix.
private struct ProjectedPlaces {
    let place: ArenaPlan.Place
    let keys: Int

    func heads(in arena: Arena) -> ProjectedHeads {
        let all = arena[place]
        let queries = all.columns - 2 * keys
        return ProjectedHeads(
            queries: all.columns(0..<queries), keys: all.columns(queries..<(queries + keys)),
            values: all.columns((queries + keys)..<all.columns))
    }
}

private struct LayerPlaces {
    let inputInverse: ArenaPlan.Place
    let projected: ProjectedPlaces
    let attention: ArenaPlan.Place
    let logSumExp: ArenaPlan.Place
    let middle: ArenaPlan.Place
    let middleInverse: ArenaPlan.Place
    let gate: ArenaPlan.Place
    let up: ArenaPlan.Place

    func layer(in arena: Arena, input: Tensor) -> LlamaActivations.Layer {
        LlamaActivations.Layer(
            input: input, inputInverse: arena[inputInverse], projected: projected.heads(in: arena),
            attention: arena[attention], logSumExp: arena[logSumExp], middle: arena[middle],
            middleInverse: arena[middleInverse], gate: arena[gate], up: arena[up])
    }
}

extension LlamaConfiguration {
    var attention: AttentionShape {
        AttentionShape(heads: heads, keyValueHeads: keyValueHeads, headDimension: headDimension)
    }
}

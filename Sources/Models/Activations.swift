import Tensors

/// The memory of a decoder's passes: planned and taken once.
///
/// A training plan keeps, for every layer, what the backward pass reads, and recomputes norms and
/// the gated product. Without training all layers share one set, and the residual stream is
/// updated in place.
struct Activations {
    /// What a projection adds to the stream, before it is normed.
    struct Branch {
        let output: Tensor
        let inverse: Tensor
    }

    struct Layer {
        let input: Tensor
        let inputInverse: Tensor
        let projected: ProjectedHeads
        /// Queries and keys before every head was normed; the values are nobody's.
        let unnormed: ProjectedHeads?
        /// A row for each head.
        let headInverse: (queries: Tensor, keys: Tensor)?
        let attention: Tensor
        let logSumExp: Tensor
        let middle: Tensor
        let middleInverse: Tensor
        let gate: Tensor
        let up: Tensor
        let attentionBranch: Branch?
        let feedBranch: Branch?
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
        let unnormed: ProjectedHeads?
        let branch: Tensor?
        let scratch: Tensor
        /// Where gradients of gains go that nobody asks for.
        let gain: Tensor
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
    /// A copy of the logits as they were capped, for the backward pass.
    let cappedLogits: Tensor?
    /// Keys and values of the document at hand, for passes that keep none.
    let cache: Tensor
    let gradients: Gradients?
    private let arena: Arena

    init(
        _ configuration: TransformerConfiguration, rowTokensMax: Int, documentTokensMax: Int,
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
        cappedLogits = plan.cappedLogits.map { arena[$0] }
        gradients = plan.projected.map { projected in
            Gradients(
                stream: arena[plan.backward[0]], selected: arena[plan.backward[1]],
                normed: arena[plan.backward[2]], gated: arena[plan.backward[3]],
                attention: arena[plan.backward[4]], selectedAttention: arena[plan.backward[5]],
                projected: projected.heads(in: arena),
                unnormed: plan.unnormed?.heads(in: arena), branch: plan.branch.map { arena[$0] },
                scratch: arena[plan.scratch], gain: arena[plan.gain])
        }
    }
}

extension Activations {
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
        fileprivate let cappedLogits: ArenaPlan.Place?
        fileprivate let cache: ArenaPlan.Place
        fileprivate let backward: [ArenaPlan.Place]
        fileprivate let projected: ProjectedPlaces?
        fileprivate let unnormed: ProjectedPlaces?
        fileprivate let branch: ArenaPlan.Place?
        fileprivate let scratch: ArenaPlan.Place
        fileprivate let gain: ArenaPlan.Place

        init(
            _ configuration: TransformerConfiguration, rowTokensMax: Int, documentTokensMax: Int,
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
            func branch() -> BranchPlaces? {
                it.normsBranches
                    ? BranchPlaces(output: matrix(it.hidden), inverse: vector(rows)) : nil
            }
            func inverses() -> (queries: ArenaPlan.Place, keys: ArenaPlan.Place)? {
                it.normsHeads
                    ? (
                        plan.add(rows: it.heads, columns: rows),
                        plan.add(rows: it.keyValueHeads, columns: rows)
                    ) : nil
            }
            let attentionColumns = it.heads * it.headDimension
            let streams = (0...(isTraining ? it.layers : 0)).map { _ in matrix(it.hidden) }
            self.streams = streams
            saved = (0..<(isTraining ? it.layers : 1)).map { _ in
                LayerPlaces(
                    inputInverse: vector(rows), projected: heads(),
                    unnormed: it.normsHeads ? heads() : nil, headInverse: inverses(),
                    attention: matrix(attentionColumns), logSumExp: matrix(it.heads),
                    middle: isTraining ? matrix(it.hidden) : streams[0],
                    middleInverse: vector(rows), gate: matrix(it.intermediate),
                    up: matrix(it.intermediate), attentionBranch: branch(), feedBranch: branch())
            }
            (normed, gated) = (matrix(it.hidden), matrix(it.intermediate))
            selectedAttention = matrix(attentionColumns)
            outputInverse = vector(rows)
            logits = plan.add(rows: headRows, columns: it.vocabulary)
            cappedLogits =
                isTraining && it.logitCap != nil
                ? plan.add(rows: headRows, columns: it.vocabulary) : nil
            let attention = it.attention(0)
            cache = plan.add(
                rows: it.keyValueHeads, columns: attention.cacheColumns(tokens: documentTokensMax))
            backward =
                isTraining
                ? [
                    it.hidden, it.hidden, it.hidden, it.intermediate, attentionColumns,
                    attentionColumns,
                ]
                .map(matrix) : []
            projected = isTraining ? heads() : nil
            unnormed = isTraining && it.normsHeads ? heads() : nil
            self.branch = isTraining && it.normsBranches ? matrix(it.hidden) : nil
            scratch = vector(isTraining ? attention.scratchCount(tokens: rowTokensMax) : 0)
            gain = vector(isTraining ? max(it.hidden, it.headDimension) : 0)
            arena = plan
        }
    }
}

extension TransformerConfiguration {
    /// Bytes that a model of this shape takes beside its parameters, to train on rows of so many tokens.
    public func trainingBytes(rowTokens: Int) -> Int {
        let plan = Activations.Plan(
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

private struct BranchPlaces {
    let output: ArenaPlan.Place
    let inverse: ArenaPlan.Place

    func branch(in arena: Arena) -> Activations.Branch {
        Activations.Branch(output: arena[output], inverse: arena[inverse])
    }
}

private struct LayerPlaces {
    let inputInverse: ArenaPlan.Place
    let projected: ProjectedPlaces
    let unnormed: ProjectedPlaces?
    let headInverse: (queries: ArenaPlan.Place, keys: ArenaPlan.Place)?
    let attention: ArenaPlan.Place
    let logSumExp: ArenaPlan.Place
    let middle: ArenaPlan.Place
    let middleInverse: ArenaPlan.Place
    let gate: ArenaPlan.Place
    let up: ArenaPlan.Place
    let attentionBranch: BranchPlaces?
    let feedBranch: BranchPlaces?

    func layer(in arena: Arena, input: Tensor) -> Activations.Layer {
        Activations.Layer(
            input: input, inputInverse: arena[inputInverse], projected: projected.heads(in: arena),
            unnormed: unnormed?.heads(in: arena),
            headInverse: headInverse.map { (arena[$0.queries], arena[$0.keys]) },
            attention: arena[attention], logSumExp: arena[logSumExp], middle: arena[middle],
            middleInverse: arena[middleInverse], gate: arena[gate], up: arena[up],
            attentionBranch: attentionBranch?.branch(in: arena),
            feedBranch: feedBranch?.branch(in: arena))
    }
}

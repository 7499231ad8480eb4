public import Tensors

/// Keys and values of one sequence's tokens, for every layer, in the blocks that attention reads.
public final class SequenceCache {
    /// How many tokens it has room for.
    public let tokensMax: Int
    /// How many tokens it holds.
    public fileprivate(set) var tokens = 0
    fileprivate let layers: [Tensor]
    private let arena: Arena
    private let configuration: TransformerConfiguration

    /// Takes memory for a sequence of up to `tokensMax` tokens.
    public init(_ configuration: TransformerConfiguration, tokensMax: Int) {
        let shape = configuration.attention(0)
        var plan = ArenaPlan()
        let places = (0..<configuration.layers).map { _ in
            plan.add(
                rows: shape.keyValueHeads, columns: shape.cacheColumns(tokens: tokensMax))
        }
        let arena = Arena(plan)
        self.arena = arena
        self.configuration = configuration
        self.tokensMax = tokensMax
        layers = places.map { arena[$0] }
    }

    /// A copy, of the same room, that holds the first `count` tokens of `other`.
    public convenience init(copying other: SequenceCache, first count: Int) {
        precondition(count <= other.tokens, "\(count) tokens of \(other.tokens)")
        self.init(other.configuration, tokensMax: other.tokensMax)
        // What follows the first tokens is never read before it is written.
        for (own, its) in zip(layers, other.layers) { own.copy(its) }
        tokens = count
    }
}

/// Continues sequences whose past is kept in caches, many of them in one pass.
///
/// The bits of a sequence's logits depend on that sequence alone, and equal those that scoring all
/// of it at once gives. One instance belongs to one thread, its model's.
public final class SequenceDecoder {
    /// The next tokens of one sequence.
    public struct Continuation {
        public let cache: SequenceCache
        public let tokens: [Int32]
        /// Whether the logits after the last token are wanted.
        public let isScored: Bool

        public init(cache: SequenceCache, tokens: [Int32], isScored: Bool) {
            self.cache = cache
            self.tokens = tokens
            self.isScored = isScored
        }
    }

    public let model: Transformer
    /// The most tokens of all continuations together.
    public let rowTokensMax: Int
    private let stack: DecoderStack

    /// Takes memory for passes of up to `rowTokensMax` tokens at positions below `positionsMax`.
    public init(_ model: Transformer, rowTokensMax: Int, positionsMax: Int) {
        self.model = model
        self.rowTokensMax = rowTokensMax
        stack = DecoderStack(
            configuration: model.configuration, operations: model.operations,
            weights: model.weights,
            activations: Activations(
                model.configuration, rowTokensMax: rowTokensMax, documentTokensMax: 0,
                isTraining: false),
            rotary: Rotation(model.configuration, positions: positionsMax))
    }

    /// Takes in all continuations' tokens, then gives `body` the logits of those that are scored.
    ///
    /// `body` is called with consecutive ranges of the scored continuations, counted in their
    /// order, and a row of logits for each; they are its own to overwrite.
    public func advance(
        _ continuations: [Continuation], _ body: (_ scored: Range<Int>, _ logits: Tensor) -> Void
    ) {
        var ranges: [Range<Int>] = []
        var (tokens, positions, selected): ([Int32], [Int32], [Int32]) = ([], [], [])
        for it in continuations {
            let past = it.cache.tokens
            precondition(past + it.tokens.count <= it.cache.tokensMax, "no room in the cache")
            ranges.append(tokens.count..<(tokens.count + it.tokens.count))
            tokens += it.tokens
            positions += Int32(past)..<Int32(past + it.tokens.count)
            if it.isScored { selected.append(Int32(tokens.count - 1)) }
        }
        precondition(tokens.count <= rowTokensMax, "\(tokens.count) tokens for \(rowTokensMax)")
        withFlushedSubnormals {
            let output = stack.forward(
                tokens: tokens, positions: positions, selected: selected
            ) { layer, heads, output, logSumExp in
                for (it, range) in zip(continuations, ranges) {
                    attend(
                        it.cache, layer, heads.rows(range), output.rows(range),
                        logSumExp.rows(range))
                }
            }
            stack.head(output) { rows, _, logits in body(rows, logits) }
        }
        for it in continuations { it.cache.tokens += it.tokens.count }
    }

    private func attend(
        _ cache: SequenceCache, _ layer: Int, _ heads: ProjectedHeads, _ output: Tensor,
        _ logSumExp: Tensor
    ) {
        let shape = model.configuration.attention(layer)
        model.operations.store(
            cache.layers[layer], keys: heads.keys, values: heads.values, first: cache.tokens,
            shape: shape)
        model.operations.attend(
            output, logSumExp: logSumExp, queries: heads.queries, cache: cache.layers[layer],
            first: cache.tokens, shape: shape)
    }
}

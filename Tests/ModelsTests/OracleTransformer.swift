import Models
import Tensors
import TestSupport

/// The decoder in fp64 by the book: one document at a time, every value a node of a tape.
struct OracleTransformer {
    typealias Node = Tape.Node

    let configuration: TransformerConfiguration
    let tape: Tape
    /// A leaf for each parameter, padding included.
    let parameters: [Node]
    private let matrices: [String: [[Node]]]

    init(_ configuration: TransformerConfiguration, parameters values: [Double]) {
        self.configuration = configuration
        let tape = Tape()
        self.tape = tape
        let leaves = values.map { tape.constant($0) }
        parameters = leaves
        let entries = ParameterLayout(configuration).entries
        matrices = Dictionary(
            uniqueKeysWithValues: entries.map { entry in
                let columns = entry.shape[entry.shape.count - 1]
                let rows = entry.count / columns
                let matrix = (0..<rows).map { row in
                    Array(leaves[(entry.offset + row * columns)...].prefix(columns))
                }
                return (entry.name, matrix)
            })
    }

    private func matrix(_ name: String) -> [[Node]] { matrices[name + ".weight"] ?? [] }

    /// The logits of every position of one document.
    func logits(_ tokens: [Int32]) -> [[Node]] {
        let embedding = matrix("model.embed_tokens")
        let scale = configuration.scalesEmbedding ? Double(configuration.hidden).squareRoot() : 1
        var stream = tokens.map { embedding[Int($0)].map { tape.scaled($0, scale) } }
        for layer in 0..<configuration.layers { stream = self.layer(layer, stream) }
        let head = configuration.tiedHead ? embedding : matrix("lm_head")
        let gain = matrix("model.norm")[0]
        return stream.map {
            tape.linear(head, norm($0, gain)).map { tape.capped($0, configuration.logitCap) }
        }
    }

    /// The weighted loss of a row, documents apart.
    func loss(_ row: PackedRow) -> Node {
        let starts = row.documentStarts.map { Int($0) }
        var total = tape.constant(0)
        for (start, end) in zip(starts, starts.dropFirst() + [row.tokens.count]) {
            let logits = logits(Array(row.tokens[start..<end]))
            for position in start..<end where row.weights[position] != 0 {
                let score = tape.logProbability(
                    logits[position - start], Int(row.targets[position]))
                total = tape.sum(total, tape.scaled(score, -Double(row.weights[position])))
            }
        }
        return total
    }

    private func norm(_ x: [Node], _ gain: [Node]) -> [Node] {
        let one = tape.constant(configuration.normsFromOne ? 1 : 0)
        return tape.rmsNorm(
            x, gain: gain.map { tape.sum($0, one) }, epsilon: configuration.normEpsilon)
    }

    /// W x + b, the bias where the model has one.
    private func project(_ name: String, _ x: [Node]) -> [Node] {
        let y = tape.linear(matrix(name), x)
        guard let bias = matrices[name + ".bias"] else { return y }
        return zip(y, bias[0]).map { tape.sum($0, $1) }
    }

    /// One layer's queries, keys or values: tokens, heads, columns.
    private func heads(
        _ normed: [[Node]], layer: Int, _ projection: String, _ count: Int, turned: Bool
    ) -> [[[Node]]] {
        let it = configuration
        let name = "model.layers.\(layer).self_attn."
        let rotary =
            it.window != nil && it.slides[layer] ? it.slidingRotary ?? it.rotary : it.rotary
        let frequencies = rotary.frequencies(pairs: it.headDimension / 2)
        return normed.enumerated().map { position, x in
            let y = project(name + projection + "_proj", x)
            return (0..<count).map { head in
                var own = Array(y[(head * it.headDimension)...].prefix(it.headDimension))
                if !turned { return own }
                if it.normsHeads { own = norm(own, matrix(name + projection + "_norm")[0]) }
                return tape.rotated(
                    own, position: position, frequencies: frequencies, scale: rotary.scale)
            }
        }
    }

    private func layer(_ index: Int, _ stream: [[Node]]) -> [[Node]] {
        let name = "model.layers.\(index)."
        let it = configuration
        func normed(_ x: [Node], _ norm: String) -> [Node] {
            self.norm(x, matrix(name + norm + "_layernorm")[0])
        }
        let input = stream.map { normed($0, "input") }
        let queries = heads(input, layer: index, "q", it.heads, turned: true)
        let keys = heads(input, layer: index, "k", it.keyValueHeads, turned: true)
        let values = heads(input, layer: index, "v", it.keyValueHeads, turned: false)
        let window = it.window != nil && it.slides[index] ? it.window ?? 0 : stream.count
        return stream.indices.map { t in
            let seen = max(0, t + 1 - window)...t
            let attended = (0..<it.heads).flatMap { head in
                let shared = head * it.keyValueHeads / it.heads
                return tape.attention(
                    query: queries[t][head], keys: keys[seen].map { $0[shared] },
                    values: values[seen].map { $0[shared] },
                    scale: it.queryScalar.map { 1 / $0.squareRoot() }, cap: it.scoreCap)
            }
            var projected = project(name + "self_attn.o_proj", attended)
            if it.normsBranches { projected = normed(projected, "post_attention") }
            let middle = zip(stream[t], projected).map { tape.sum($0, $1) }
            let x = normed(middle, it.normsBranches ? "pre_feedforward" : "post_attention")
            let gate = project(name + "mlp.gate_proj", x)
                .map { it.activation == .silu ? tape.silu($0) : tape.gelu($0) }
            let gated = zip(gate, project(name + "mlp.up_proj", x)).map { tape.product($0, $1) }
            var down = project(name + "mlp.down_proj", gated)
            if it.normsBranches { down = normed(down, "post_feedforward") }
            return zip(middle, down).map { tape.sum($0, $1) }
        }
    }
}

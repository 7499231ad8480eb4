import Models
import TestSupport

/// The decoder in fp64 by the book: one document at a time, every value a node of a tape.
struct OracleLlama {
    typealias Node = Tape.Node

    let configuration: LlamaConfiguration
    let tape: Tape
    /// A leaf for each parameter, padding included.
    let parameters: [Node]
    private let matrices: [String: [[Node]]]

    init(_ configuration: LlamaConfiguration, parameters values: [Double]) {
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
        var stream = tokens.map { embedding[Int($0)] }
        for layer in 0..<configuration.layers { stream = self.layer(layer, stream) }
        let head = configuration.tiedHead ? embedding : matrix("lm_head")
        let gain = matrix("model.norm")[0]
        return stream.map { tape.linear(head, norm($0, gain)) }
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
        tape.rmsNorm(x, gain: gain, epsilon: configuration.normEpsilon)
    }

    private func layer(_ index: Int, _ stream: [[Node]]) -> [[Node]] {
        let name = "model.layers.\(index)."
        let it = configuration
        let normed = stream.map { norm($0, matrix(name + "input_layernorm")[0]) }
        func heads(_ projection: String, _ count: Int, turned: Bool) -> [[[Node]]] {
            normed.enumerated().map { position, x in
                let y = tape.linear(matrix(name + "self_attn." + projection), x)
                return (0..<count).map { head in
                    let own = Array(y[(head * it.headDimension)...].prefix(it.headDimension))
                    return turned
                        ? tape.rotated(own, position: position, theta: it.ropeTheta) : own
                }
            }
        }
        let queries = heads("q_proj", it.heads, turned: true)
        let keys = heads("k_proj", it.keyValueHeads, turned: true)
        let values = heads("v_proj", it.keyValueHeads, turned: false)
        return stream.indices.map { t in
            let attended = (0..<it.heads).flatMap { head in
                let shared = head * it.keyValueHeads / it.heads
                return tape.attention(
                    query: queries[t][head], keys: keys[...t].map { $0[shared] },
                    values: values[...t].map { $0[shared] })
            }
            let projected = tape.linear(matrix(name + "self_attn.o_proj"), attended)
            let middle = zip(stream[t], projected).map { tape.sum($0, $1) }
            let x = norm(middle, matrix(name + "post_attention_layernorm")[0])
            let gate = tape.linear(matrix(name + "mlp.gate_proj"), x).map { tape.silu($0) }
            let up = tape.linear(matrix(name + "mlp.up_proj"), x)
            let gated = zip(gate, up).map { tape.product($0, $1) }
            let down = tape.linear(matrix(name + "mlp.down_proj"), gated)
            return zip(middle, down).map { tape.sum($0, $1) }
        }
    }
}

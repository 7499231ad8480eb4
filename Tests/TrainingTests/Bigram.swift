import Models
import Tensors
import Training

/// A small model of its own kind, to train without a transformer: the logits of the next token are a
/// row of a table, plus a bias.
///
/// Its sums run in the order of the row, as a real model's do.
@safe final class Bigram: Learner {
    let layout: ParameterLayout
    let parameters: UnsafeMutableBufferPointer<Float>
    let vocabulary: Int

    init(vocabulary: Int, seed: UInt64 = 1) {
        self.vocabulary = vocabulary
        layout = Self.layout(vocabulary)
        unsafe parameters = .allocate(capacity: layout.count)
        unsafe parameters.initialize(repeating: 0)
        var numbers = Numbers(seed: seed)
        for entry in layout.entries {
            for index in entry.offset..<entry.offset + entry.count {
                unsafe parameters[index] = Float(numbers.uniform() - 0.5)
            }
        }
    }

    deinit { unsafe parameters.deallocate() }

    private static func layout(_ vocabulary: Int) -> ParameterLayout {
        // Layouts are made for decoders; this one is rewritten.
        var layout = ParameterLayout(
            TransformerConfiguration(
                hidden: 2, layers: 0, heads: 1, keyValueHeads: 1, intermediate: 2, vocabulary: 2))
        var (table, bias) = (layout.entries[0], layout.entries[0])
        table.name = "table.weight"
        table.shape = [vocabulary, vocabulary]
        table.count = vocabulary * vocabulary
        bias.name = "bias"
        bias.shape = [vocabulary]
        bias.count = vocabulary
        bias.offset = (table.count + 1023) / 1024 * 1024
        bias.role = .bias
        layout.entries = [table, bias]
        layout.count = bias.offset + 1024
        return layout
    }

    /// The trained numbers as bits, to compare them exactly.
    var bits: [UInt32] { unsafe parameters.map(\.bitPattern) }

    func lossSum(of row: PackedRow) -> Double { loss(of: row, scores(of: row)) }

    func lossSum(of row: PackedRow, scale: Float, gradient: any GradientSink) -> Double {
        let scores = differentiate(row, gradient: gradient) { _ in
            row.weights.filter { $0 != 0 }.map { scale * $0 }
        }
        return loss(of: row, scores)
    }

    private func loss(of row: PackedRow, _ scores: [Double]) -> Double {
        zip(row.weights.filter { $0 != 0 }, scores).reduce(0.0) { $0 - Double($1.0) * $1.1 }
    }

    func scores(of row: PackedRow) -> [Double] {
        row.tokens.indices.filter { row.weights[$0] != 0 }.map { position in
            logarithm(probabilities(after: row.tokens[position])[Int(row.targets[position])])
        }
    }

    func differentiate(
        _ row: PackedRow, gradient: any GradientSink, slopes: ([Double]) -> [Float]
    ) -> [Double] {
        var values = [Float](repeating: 0, count: layout.count)
        let scores = scores(of: row)
        let positions = row.tokens.indices.filter { row.weights[$0] != 0 }
        for (position, u) in zip(positions, slopes(scores)) {
            let base = Int(row.tokens[position]) * vocabulary
            let p = probabilities(after: row.tokens[position])
            for token in 0..<vocabulary {
                let error = Float(p[token]) - (token == Int(row.targets[position]) ? 1 : 0)
                values[base + token] += u * error
                values[layout.entries[1].offset + token] += u * error
            }
        }
        unsafe values.withUnsafeMutableBufferPointer { values in
            for entry in layout.entries {
                guard let base = values.baseAddress else { continue }
                unsafe gradient.add(
                    Tensor(base + entry.offset, rows: 1, columns: entry.count), at: entry.offset)
            }
        }
        return scores
    }

    private func probabilities(after token: Int32) -> [Double] {
        let (base, bias) = (Int(token) * vocabulary, layout.entries[1].offset)
        let exponentials = (0..<vocabulary).map {
            unsafe exponential(Double(parameters[base + $0] + parameters[bias + $0]))
        }
        let total = exponentials.reduce(0, +)
        return exponentials.map { $0 / total }
    }
}

import Models
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

    func lossSum(of row: PackedRow) -> Double { unsafe run(row, scale: 0, gradient: nil) }

    func lossSum(
        of row: PackedRow, scale: Float, gradient: UnsafeMutableBufferPointer<Float>
    ) -> Double { unsafe run(row, scale: scale, gradient: gradient) }

    private func run(
        _ row: PackedRow, scale: Float, gradient: UnsafeMutableBufferPointer<Float>?
    ) -> Double {
        unsafe gradient?.update(repeating: 0)
        let bias = layout.entries[1].offset
        var loss = 0.0
        for position in row.tokens.indices where row.weights[position] != 0 {
            let base = Int(row.tokens[position]) * vocabulary
            let logits = (0..<vocabulary).map {
                unsafe parameters[base + $0] + parameters[bias + $0]
            }
            let exponentials = logits.map { exponential(Double($0)) }
            let total = exponentials.reduce(0, +)
            let target = Int(row.targets[position])
            loss -= Double(row.weights[position]) * logarithm(exponentials[target] / total)
            guard let gradient = unsafe gradient else { continue }
            for token in 0..<vocabulary {
                let error = Float(exponentials[token] / total) - (token == target ? 1 : 0)
                let change = scale * row.weights[position] * error
                unsafe gradient[base + token] += change
                unsafe gradient[bias + token] += change
            }
        }
        return loss
    }
}

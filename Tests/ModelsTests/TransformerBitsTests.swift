import Models
import TestSupport
import Testing

/// What a row's numbers may depend on, to the last bit.
@Suite struct TransformerBits {
    static let configuration = TransformerConfiguration(
        hidden: 48, layers: 3, heads: 6, keyValueHeads: 2, intermediate: 80, vocabulary: 97,
        initializerRange: 0.2)

    /// The rows that hold one document each.
    static func separate(_ row: PackedRow) -> [PackedRow] {
        let starts = row.documentStarts.map { Int($0) }
        return zip(starts, starts.dropFirst() + [row.tokens.count]).map { start, end in
            PackedRow(
                tokens: Array(row.tokens[start..<end]), documentStarts: [0],
                targets: Array(row.targets[start..<end]), weights: Array(row.weights[start..<end]))
        }
    }

    @Test(
        arguments: [configuration] + TransformerConfiguration.families,
        [[5, 9, 3], [70, 1, 64, 65], [130, 40, 2, 31]])
    func `packed documents score as they do alone`(
        configuration: TransformerConfiguration, lengths: [Int]
    ) {
        let model = Transformer.random(configuration)
        var numbers = SeededTokens(seed: 2)
        let row = numbers.row(lengths, vocabulary: configuration.vocabulary)
        let alone = Self.separate(row)
        let logits = model.logits(of: row).map { $0.map(\.bitPattern) }
        #expect(logits == alone.flatMap { model.logits(of: $0).map { $0.map(\.bitPattern) } })
        let scores = model.logProbabilities(of: row).map(\.bitPattern)
        #expect(scores == alone.flatMap { model.logProbabilities(of: $0).map(\.bitPattern) })
    }

    @Test(arguments: [configuration] + TransformerConfiguration.families)
    func `gradients of packed documents are the sum of theirs alone`(
        configuration: TransformerConfiguration
    ) {
        let model = Transformer.random(configuration)
        var numbers = SeededTokens(seed: 4)
        let row = numbers.row([20, 66, 7], vocabulary: configuration.vocabulary)
        let packed = model.differentiate(row)
        var sum = [Double](repeating: 0, count: model.layout.count)
        for document in Self.separate(row) {
            for (index, value) in model.differentiate(document).gradient.enumerated() {
                sum[index] += Double(value)
            }
        }
        for entry in model.layout.entries {
            let range = entry.offset..<(entry.offset + entry.count)
            let largest = range.map { abs(sum[$0]) }.max() ?? 0
            let worst = range.map { abs(sum[$0] - Double(packed.gradient[$0])) }.max() ?? 0
            #expect(worst <= 2e-6 * largest, "\(entry.name): \(worst) of \(largest)")
        }
    }

    @Test func `a row's gradient depends neither on earlier rows nor on the room`() {
        var numbers = SeededTokens(seed: 6)
        let rows = [[30, 80], [3], [64, 64, 64]].map { numbers.row($0, vocabulary: 97) }
        let model = Transformer.random(Self.configuration)
        let wide = Transformer.random(Self.configuration, rowTokensMax: 1000)
        let first = rows.map { model.differentiate($0).gradient.map(\.bitPattern) }
        let again = rows.reversed().map { model.differentiate($0).gradient.map(\.bitPattern) }
        #expect(first == again.reversed())
        #expect(first == rows.map { wide.differentiate($0).gradient.map(\.bitPattern) })
    }

    @Test func `a position of weight 0 counts for nothing, whatever its target`() {
        let model = Transformer.random(Self.configuration)
        var numbers = SeededTokens(seed: 8)
        let row = numbers.row([25, 40], vocabulary: 97)
        var other = row
        for index in row.weights.indices where row.weights[index] == 0 {
            other.targets[index] = Int32(index)
        }
        let (loss, gradient) = model.differentiate(row)
        let (otherLoss, otherGradient) = model.differentiate(other)
        #expect(loss.bitPattern == otherLoss.bitPattern)
        #expect(gradient.map(\.bitPattern) == otherGradient.map(\.bitPattern))

        other.weights = row.weights.map { _ in 0 }
        let (nothing, zero) = model.differentiate(other)
        #expect(nothing == 0)
        #expect(zero.allSatisfy { $0 == 0 })
        #expect(model.lossSum(of: other) == 0)
    }

    @Test(arguments: [configuration] + TransformerConfiguration.families)
    func `scoring needs no training memory and gives the same bits`(
        configuration: TransformerConfiguration
    ) {
        let model = Transformer.random(configuration)
        let scorer = Transformer.random(configuration, isTraining: false)
        var numbers = SeededTokens(seed: 10)
        let row = numbers.row([90, 12, 100], vocabulary: configuration.vocabulary)
        #expect(model.lossSum(of: row) == scorer.lossSum(of: row))
        #expect(model.differentiate(row).loss == scorer.lossSum(of: row))
        #expect(model.logProbabilities(of: row) == scorer.logProbabilities(of: row))
        #expect(scorer.logProbabilities(of: row) == scorer.logProbabilities(of: row))
    }

    @Test func `initial weights are a function of the seed`() {
        let model = Transformer(
            configuration: Self.configuration, rowTokensMax: 8, isTraining: false)
        let other = Transformer(
            configuration: Self.configuration, rowTokensMax: 8, isTraining: false)
        model.initialize(seed: 1)
        other.initialize(seed: 2)
        #expect(unsafe Array(model.parameters) != Array(other.parameters))
        other.initialize(seed: 1)
        #expect(unsafe Array(model.parameters) == Array(other.parameters))
        for entry in model.layout.entries where entry.count > 2000 {
            let values = unsafe model.parameters[entry.offset..<(entry.offset + entry.count)]
                .map { Double($0) }
            let mean = values.reduce(0, +) / Double(values.count)
            let square = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
            #expect(abs(mean) < 0.02 && abs(square.squareRoot() - 0.2) < 0.01, "\(entry.name)")
        }
    }
}

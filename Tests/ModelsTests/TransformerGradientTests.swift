import Models
import TestSupport
import Testing

@Suite struct TransformerGradients {
    struct Shape: Sendable, CustomTestStringConvertible {
        var configuration: TransformerConfiguration
        var documents: [Int]
        var testDescription: String {
            let heads = "\(configuration.heads):\(configuration.keyValueHeads) heads"
            return "\(configuration.architecture), \(heads), \(documents)"
        }
    }

    static let shapes: [Shape] = {
        var wide = TransformerConfiguration.small
        (wide.hidden, wide.heads, wide.keyValueHeads, wide.headDimension) = (32, 4, 1, 16)
        var untied = TransformerConfiguration.small
        (untied.tiedHead, untied.heads, untied.keyValueHeads) = (false, 3, 3)
        return [
            Shape(configuration: .small, documents: [9]),
            Shape(configuration: .small, documents: [1, 5, 12, 2]),
            Shape(configuration: wide, documents: [7, 70]),
            Shape(configuration: untied, documents: [3, 11]),
        ]
            + TransformerConfiguration.families.flatMap { family in
                [[9, 2, 14], [68]].map { Shape(configuration: family, documents: $0) }
            }
    }()

    @Test(arguments: shapes)
    func `loss and gradient equal the fp64 oracle's`(shape: Shape) {
        let model = Transformer.random(shape.configuration)
        var numbers = SeededTokens(seed: 5)
        let row = numbers.row(shape.documents, vocabulary: shape.configuration.vocabulary)
        let oracle = OracleTransformer(
            shape.configuration, parameters: unsafe model.parameters.map { Double($0) })
        let loss = oracle.loss(row)
        let expected = oracle.tape.gradient(of: loss)
        let (own, gradient) = model.differentiate(row, scale: 0.25)

        #expect(abs(own - oracle.tape.values[loss]) <= 1e-5 * abs(oracle.tape.values[loss]))
        #expect(own == model.lossSum(of: row))
        for entry in model.layout.entries {
            let range = entry.offset..<(entry.offset + entry.count)
            let largest = range.map { abs(expected[oracle.parameters[$0]]) }.max() ?? 0
            let worst =
                range.map {
                    abs(4 * Double(gradient[$0]) - expected[oracle.parameters[$0]])
                }.max() ?? 0
            #expect(worst <= 1e-4 * largest, "\(entry.name): \(worst) of \(largest)")
        }
    }

    @Test(arguments: [TransformerConfiguration.small] + TransformerConfiguration.families)
    func `the oracle's gradient is that of finite differences`(
        configuration: TransformerConfiguration
    ) {
        let model = Transformer.random(configuration)
        var numbers = SeededTokens(seed: 11)
        let row = numbers.row([4, 6], vocabulary: configuration.vocabulary)
        var parameters = unsafe model.parameters.map { Double($0) }
        func loss() -> Double {
            let oracle = OracleTransformer(configuration, parameters: parameters)
            let loss = oracle.loss(row)
            return oracle.tape.values[loss]
        }
        let oracle = OracleTransformer(configuration, parameters: parameters)
        let gradient = oracle.tape.gradient(of: oracle.loss(row))
        for entry in model.layout.entries {
            let index = entry.offset + numbers.next(below: entry.count)
            let (own, step) = (parameters[index], 1e-5)
            parameters[index] = own + step
            let above = loss()
            parameters[index] = own - step
            let slope = (above - loss()) / (2 * step)
            parameters[index] = own
            let expected = gradient[oracle.parameters[index]]
            #expect(abs(slope - expected) <= 1e-7 + 1e-6 * abs(expected), "\(entry.name)")
        }
    }

    @Test(arguments: [true, false])
    func `every parameter's gradient is handed over once, and nothing else`(tied: Bool) {
        var configuration = TransformerConfiguration.small
        configuration.tiedHead = tied
        let model = Transformer.random(configuration)
        var numbers = SeededTokens(seed: 3)
        let sink = WholeGradient(model.layout)
        let row = numbers.row([8], vocabulary: 37)
        _ = model.lossSum(of: row, scale: 1, gradient: sink)
        var expected = [Int](repeating: 0, count: model.layout.count)
        for entry in model.layout.entries {
            for index in entry.offset..<(entry.offset + entry.count) { expected[index] = 1 }
        }
        #expect(sink.times == expected)
        #expect(sink.values.allSatisfy { $0.isFinite })
        // What an earlier row left behind does not show.
        _ = model.differentiate(numbers.row([30, 9], vocabulary: 37))
        #expect(model.differentiate(row).gradient == sink.values)
    }
}

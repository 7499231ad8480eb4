public import Jobs
public import Models

extension TrainSpecification.NewModel {
    /// The decoder that is asked for, with the family's own switches.
    ///
    /// - Parameters:
    ///   - vocabulary: how many tokens its tokenizer has.
    ///   - eos: the tokens that end an answer.
    public func configuration(vocabulary: Int, eos: [Int32]) -> TransformerConfiguration {
        guard let family = Models.Architecture(named: architecture.rawValue) else {
            preconditionFailure("no architecture is called \(architecture)")
        }
        var configuration = TransformerConfiguration(
            architecture: family, hidden: hidden, layers: layers, heads: heads,
            keyValueHeads: keyValueHeads, headDimension: headDimension,
            intermediate: intermediate, vocabulary: vocabulary, positionsMax: positionsMax,
            tiedHead: tiedHead, eos: eos)
        if architecture.slides {
            configuration.window = window ?? configuration.window ?? 4096
        }
        return configuration
    }
}

extension TokenizedDocument {
    /// A document whose tokens and weights are known: `weights[i]` is that of predicting `tokens[i]`.
    public init(tokens: [Int32], weights: [Float]) {
        precondition(tokens.count == weights.count)
        self.tokens = tokens
        self.weights = weights
    }
}

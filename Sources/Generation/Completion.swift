/// What a model wrote after a prompt.
public struct Completion: Sendable, Equatable {
    public enum Finish: String, Sendable {
        /// A stop token was generated; it is the last of `tokens`.
        case stop
        /// As many tokens as were asked for, or as the model has positions for.
        case length
    }

    public var tokens: [Int32]
    /// The natural-log probability of each token under the full softmax at temperature 1.
    public var logProbabilities: [Float]
    public var finish: Finish
}

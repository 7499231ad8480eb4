public import Tensors

/// Documents laid end to end: the unit of one forward and backward pass.
///
/// Attention, positions and labels never cross from one document into the next.
public struct PackedRow: Sendable, Equatable {
    /// Token ids, T of them.
    public var tokens: [Int32]
    /// The index of each document's first token; ascending, beginning with 0.
    public var documentStarts: [Int32]
    /// The id to predict at each position, T of them; anything where the weight is 0.
    public var targets: [Int32]
    /// The loss weight of each position, T of them; 0 on every document's last position.
    public var weights: [Float]
    /// What a teacher said of each position, T of them; nil: nothing of any.
    public var teacher: TeacherRows?
    /// How much of a taught position's loss is the teacher's; the rest is the target's.
    public var mix: Float = 0

    public init(tokens: [Int32], documentStarts: [Int32], targets: [Int32], weights: [Float]) {
        self.tokens = tokens
        self.documentStarts = documentStarts
        self.targets = targets
        self.weights = weights
    }
}

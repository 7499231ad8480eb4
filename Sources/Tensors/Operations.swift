/// What a model may ask of a back end: a small closed set, so that CPU and GPU can both answer.
///
/// All operands belong to the back end's memory. Operations run in the order they are called.
/// Gradient operations return sums over rows; whoever wants a mean knows the count.
public protocol Operations: AnyObject {
    /// Libraries, versions and kernels: equal profiles give equal bits.
    var profile: NumericProfile { get }

    /// y = x Wᵀ, or y += x Wᵀ. The bits of a row depend on that row alone.
    ///
    /// A back end may compute whole blocks of `rowBlock` rows: x and y have room for them past their
    /// end.
    func linear(_ y: Tensor, _ x: Tensor, weight: Tensor, adding: Bool)
    /// dx = dy W, or dx += dy W.
    func linearInputGradient(_ dx: Tensor, _ dy: Tensor, weight: Tensor, adding: Bool)
    /// dW = dyᵀ x, or dW += dyᵀ x.
    func linearWeightGradient(_ dw: Tensor, _ dy: Tensor, _ x: Tensor, adding: Bool)

    /// y = x / rms(x) · gain; `inverse`, a row of at least as many columns as x has rows, keeps 1 / rms.
    func rmsNorm(_ y: Tensor, inverse: Tensor, _ x: Tensor, gain: Tensor, epsilon: Float)
    /// Adds to dx and dgain.
    func rmsNormGradient(
        _ dx: Tensor, _ dgain: Tensor, _ dy: Tensor, _ x: Tensor, inverse: Tensor, gain: Tensor)

    /// Rotates every head in the columns of x by its row's position, or back.
    func rotate(_ x: Tensor, positions: [Int32], table: RotaryTable, backwards: Bool)

    /// Stores keys and values at `first` and after, into a cache with a row for each key-value head.
    func store(_ cache: Tensor, keys: Tensor, values: Tensor, first: Int, shape: AttentionShape)
    /// Causal attention of the queries at `first` and after with everything stored before them.
    func attend(
        _ output: Tensor, logSumExp: Tensor, queries: Tensor, cache: Tensor, first: Int,
        shape: AttentionShape)
    /// Writes the gradients of one document's queries, keys and values.
    func attendGradient(
        _ gradient: ProjectedHeads, _ doutput: Tensor, of input: ProjectedHeads, output: Tensor,
        logSumExp: Tensor, scratch: Tensor, shape: AttentionShape)

    /// h = silu(gate) · up
    func gatedActivation(_ h: Tensor, gate: Tensor, up: Tensor)
    /// Replaces gate and up by their gradients.
    func gatedActivationGradient(gate: Tensor, up: Tensor, _ dh: Tensor)

    /// y[t] = x[rows[t]]
    func gather(_ y: Tensor, _ x: Tensor, rows: [Int32])
    /// y[rows[t]] += x[t], t ascending.
    func scatterAdd(_ y: Tensor, _ x: Tensor, rows: [Int32])

    /// The natural-log probability of each row's target; overwrites the logits.
    ///
    /// With `u`, by u · (softmax − onehot), the gradient of −Σ u log p. A target outside the
    /// vocabulary gives 0.
    func logProbabilities(_ logits: Tensor, targets: [Int32], u: [Float]?) -> [Double]

    /// For each row, less `mix` times the forward KL of what a teacher said of it and 1 − `mix` times
    /// the target's negative log-probability, alone where the teacher said nothing; overwrites the
    /// logits.
    ///
    /// With `u`, by the gradient of −Σ u score. The tail of the teacher's distribution counts as one
    /// event (`head_distill_RV`).
    func distillScores(
        _ logits: Tensor, targets: [Int32], teacher: TeacherRows, mix: Float, u: [Float]?
    ) -> [Double]
    /// The column of each row's largest element, the lowest among equals.
    func argmax(_ x: Tensor) -> [Int32]
    /// x = softmax(scale · x), row by row.
    func softmax(_ x: Tensor, scale: Float)
}

/// Tensors have room for a multiple of this many rows.
public let rowBlock = 64

/// The heads of an attention and their size.
public struct AttentionShape: Sendable, Equatable {
    public let heads: Int
    public let keyValueHeads: Int
    public let headDimension: Int

    public init(heads: Int, keyValueHeads: Int, headDimension: Int) {
        precondition(heads % keyValueHeads == 0)
        self.heads = heads
        self.keyValueHeads = keyValueHeads
        self.headDimension = headDimension
    }

    /// Query heads that share one key-value head.
    public var group: Int { heads / keyValueHeads }
    public var scale: Float { Float(1 / Double(headDimension).squareRoot()) }
}

/// Queries, keys and values of the same rows, heads side by side.
public struct ProjectedHeads {
    public let queries: Tensor
    public let keys: Tensor
    public let values: Tensor

    public init(queries: Tensor, keys: Tensor, values: Tensor) {
        self.queries = queries
        self.keys = keys
        self.values = values
    }

    /// The rows `range` of all three.
    public func rows(_ range: Range<Int>) -> Self {
        Self(queries: queries.rows(range), keys: keys.rows(range), values: values.rows(range))
    }
}

/// What a teacher said of some rows: for each its most probable tokens, with their log-probabilities.
public struct TeacherRows: Sendable, Equatable {
    /// A row has at most so many tokens.
    public static let topMax = 64

    /// Where each row's tokens begin, and the end of the last.
    public private(set) var starts: [Int32] = [0]
    public private(set) var tokens: [Int32] = []
    /// Natural, of the whole vocabulary, each 0 or less.
    public private(set) var logProbabilities: [Float] = []

    public init() {}

    public var count: Int { starts.count - 1 }

    /// Adds a row; one without tokens has no teacher.
    public mutating func append(tokens: [Int32], logProbabilities: [Float]) {
        precondition(tokens.count == logProbabilities.count && tokens.count <= Self.topMax)
        self.tokens += tokens
        self.logProbabilities += logProbabilities
        starts.append(Int32(self.tokens.count))
    }

    /// The rows `indices`, in their order.
    public func rows(_ indices: some Sequence<Int>) -> Self {
        var rows = Self()
        for index in indices {
            let range = Int(starts[index])..<Int(starts[index + 1])
            rows.append(
                tokens: Array(tokens[range]), logProbabilities: Array(logProbabilities[range]))
        }
        return rows
    }
}

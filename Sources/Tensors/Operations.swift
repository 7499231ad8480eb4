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

    /// y = x / rms(x) · (gain + offset); `inverse`, a row of at least as many columns as x has rows,
    /// keeps 1 / rms.
    func rmsNorm(
        _ y: Tensor, inverse: Tensor, _ x: Tensor, gain: Tensor, offset: Float, epsilon: Float)
    /// Adds to dx and dgain.
    func rmsNormGradient(
        _ dx: Tensor, _ dgain: Tensor, _ dy: Tensor, _ x: Tensor, inverse: Tensor, gain: Tensor,
        offset: Float)

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

    /// h = activation(gate) · up
    func gatedActivation(_ h: Tensor, gate: Tensor, up: Tensor, _ activation: Activation)
    /// Replaces gate and up by their gradients.
    func gatedActivationGradient(
        gate: Tensor, up: Tensor, _ dh: Tensor, _ activation: Activation)

    /// x = cap · tanh(x / cap)
    func softcap(_ x: Tensor, cap: Float)
    /// Replaces dx, the gradient of y, which is what `softcap` made, by that of its input.
    func softcapGradient(_ dx: Tensor, _ y: Tensor, cap: Float)

    /// y += x
    func add(_ y: Tensor, _ x: Tensor)
    /// Adds one row to every row of y.
    func addRow(_ y: Tensor, _ row: Tensor)
    /// Adds the sum of x's rows, t ascending, to a row.
    func addColumnSums(_ sums: Tensor, _ x: Tensor)
    /// x *= factor
    func scale(_ x: Tensor, by factor: Float)
    /// Multiplies each column of x by its factor; `factors` is one row.
    func scaleColumns(_ x: Tensor, by factors: Tensor)
    /// Adds to each of a row of sums its factor times the sum over a's and b's rows, t ascending, of their
    /// products in that column.
    func addColumnProducts(_ sums: Tensor, _ a: Tensor, _ b: Tensor, by factors: Tensor)

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

/// What a gate goes through before it multiplies.
public enum Activation: String, Sendable, CaseIterable {
    /// x · sigmoid(x)
    case silu
    /// GELU in its tanh form, x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³))).
    case gelu
}

/// The heads of an attention, their size, and what becomes of the scores.
public struct AttentionShape: Sendable, Equatable {
    public let heads: Int
    public let keyValueHeads: Int
    public let headDimension: Int
    /// Multiplies the products of queries and keys.
    public let scale: Float
    /// Scores become cap · tanh(score / cap); nil leaves them.
    public let cap: Float?
    /// A query sees its own and the keys before it, so many in all; nil sees all.
    public let window: Int?

    /// The scale is that of Vaswani and others, `headDimension`^-½, where none is given.
    public init(
        heads: Int, keyValueHeads: Int, headDimension: Int, scale: Float? = nil,
        cap: Float? = nil, window: Int? = nil
    ) {
        precondition(heads % keyValueHeads == 0)
        precondition((cap ?? 1) > 0 && (window ?? 1) > 0)
        self.heads = heads
        self.keyValueHeads = keyValueHeads
        self.headDimension = headDimension
        self.scale = scale ?? Float(1 / Double(headDimension).squareRoot())
        self.cap = cap
        self.window = window
    }

    /// Query heads that share one key-value head.
    public var group: Int { heads / keyValueHeads }
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

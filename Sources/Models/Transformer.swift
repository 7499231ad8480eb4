public import Tensors

/// A decoder-only transformer of any family in `Architectures`: scores rows and differentiates
/// their loss.
///
/// One instance belongs to one thread.
@safe public final class Transformer {
    public let configuration: TransformerConfiguration
    public let layout: ParameterLayout
    /// All parameters, fp32, as `layout` says; `layout.count` elements.
    public let parameters: UnsafeMutableBufferPointer<Float>
    /// The longest row it takes.
    public let rowTokensMax: Int
    /// The back end that computes.
    public let operations: any Operations
    let weights: TransformerTensors
    let stack: DecoderStack
    private let parameterArena: Arena
    /// Holds memory that `weights` point into beside the parameters.
    private let owner: AnyObject?
    /// Copies of the matrices as products read them, as old as the last `parametersChanged`.
    private let packed: PackedWeights
    private lazy var room = GradientRoom(layout)

    /// Allocates parameters (zero) and room for rows of up to `rowTokensMax` tokens.
    ///
    /// Who writes to `parameters` says so by `parametersChanged`.
    ///
    /// - Parameter isFrozen: gradients go through these weights to what is trained beside them.
    /// - Precondition: this machine has the precision.
    public init(
        configuration: TransformerConfiguration, rowTokensMax: Int, isTraining: Bool,
        precision: Precision = .fp32, isFrozen: Bool = false
    ) {
        precondition(configuration.headDimension <= AttentionShape.headDimensionMax)
        self.configuration = configuration
        self.rowTokensMax = rowTokensMax
        layout = ParameterLayout(configuration)
        parameterArena = Arena(count: layout.count)
        unsafe parameters = parameterArena.values
        weights = unsafe TransformerTensors(layout, configuration, over: parameters)
        owner = nil
        packed = PackedWeights(
            weights.projections, precision: precision, isTraining: isTraining || isFrozen)
        operations = CPUOperations(weights: packed)
        stack = DecoderStack(
            configuration: configuration, operations: operations, weights: weights,
            activations: Activations(
                configuration, rowTokensMax: rowTokensMax, documentTokensMax: rowTokensMax,
                isTraining: isTraining),
            rotary: Rotation(configuration, positions: rowTokensMax))
    }

    /// A model over the parameters of `other`, in whose memory they stay, for another thread.
    ///
    /// Both may compute at once as long as nobody changes the parameters.
    public convenience init(
        sharing other: Transformer, rowTokensMax: Int, isTraining: Bool = false
    ) {
        self.init(
            sharing: other, weights: other.weights, rowTokensMax: rowTokensMax,
            isTraining: isTraining)
    }

    /// The same with `weights` of its own, which view the parameters of `other` and memory of `owner`.
    init(
        sharing other: Transformer, weights: TransformerTensors, rowTokensMax: Int,
        isTraining: Bool, keeping owner: AnyObject? = nil
    ) {
        configuration = other.configuration
        self.rowTokensMax = rowTokensMax
        layout = other.layout
        parameterArena = other.parameterArena
        unsafe parameters = other.parameters
        self.weights = weights
        self.owner = owner ?? other.owner
        packed = other.packed
        operations = CPUOperations(weights: packed)
        stack = DecoderStack(
            configuration: configuration, operations: operations, weights: weights,
            activations: Activations(
                configuration, rowTokensMax: rowTokensMax, documentTokensMax: rowTokensMax,
                isTraining: isTraining),
            rotary: Rotation(configuration, positions: rowTokensMax))
    }

    /// What products' operands are rounded to.
    public var precision: Precision { packed.precision }

    /// Makes what is derived from the parameters anew, after they were written to: for this model and
    /// all that share its parameters, none of which computes meanwhile.
    public func parametersChanged(threads: Int = 1) { packed.refresh(threads: threads) }

    /// Fills the parameters from `seed` as transformers' initialiser does (normal, `initializerRange`;
    /// gains 1, biases 0), by a counter-based generator: a function of seed, tensor and element.
    public func initialize(seed: UInt64) {
        for (index, entry) in layout.entries.enumerated() {
            let values = unsafe UnsafeMutableBufferPointer(
                rebasing: parameters[entry.offset..<(entry.offset + entry.count)])
            switch entry.role {
            case .matrix:
                unsafe Philox.fillNormal(
                    values, deviation: configuration.initializerRange, key: seed,
                    stream: UInt32(index))
            case .gain: unsafe values.update(repeating: 1 - configuration.gainOffset)
            case .bias: unsafe values.update(repeating: 0)
            }
        }
        parametersChanged()
    }

    /// The sum over positions of weight × negative log-probability of the target, in nats.
    public func lossSum(of row: PackedRow) -> Double {
        withFlushedSubnormals {
            let selected = row.weighted
            let targets = selected.map { row.targets[Int($0)] }
            let output = forward(row, selected: selected)
            var scores: [Double] = []
            stack.head(output) { rows, _, logits in
                scores += operations.logProbabilities(
                    logits, targets: Array(targets[rows]), u: nil)
            }
            return row.loss(selected, scores)
        }
    }

    /// As `lossSum`, and gives `scale` × its gradient over all parameters to `gradient`.
    ///
    /// Where the row has a teacher's word and a mix, the loss is of both.
    public func lossSum(
        of row: PackedRow, scale: Float, gradient: any GradientSink
    ) -> Double {
        handing(gradient) { lossSum(of: row, scale: scale, $0) }
    }

    /// Runs a forward and a backward pass, `body`, over the parameters with room for their gradients,
    /// and hands those over.
    func handing<Result>(
        _ gradient: any GradientSink, _ body: (TransformerTensors) -> Result
    ) -> Result {
        precondition(
            stack.activations.gradients != nil,
            "a model made without isTraining has no backward pass")
        return withFlushedSubnormals {
            let opened = room.open(weights, for: gradient)
            let result = body(opened)
            room.close(opened, for: gradient)
            return result
        }
    }

    func lossSum(of row: PackedRow, scale: Float, _ weights: TransformerTensors) -> Double {
        let selected = row.weighted
        if selected.isEmpty { return 0 }
        let targets = selected.map { row.targets[Int($0)] }
        let u = selected.map { scale * row.weights[Int($0)] }
        let teacher = row.teacher?.rows(selected.lazy.map { Int($0) })
        let output = forward(row, selected: selected)
        var scores: [Double] = []
        differentiate(row, selected, output, weights) { rows, logits in
            if let teacher, row.mix > 0 {
                scores += operations.distillScores(
                    logits, targets: Array(targets[rows]), teacher: teacher.rows(rows),
                    mix: row.mix, u: Array(u[rows]))
            } else {
                scores += operations.logProbabilities(
                    logits, targets: Array(targets[rows]), u: Array(u[rows]))
            }
        }
        return row.loss(selected, scores)
    }

    /// Carries back, from the head to the embedding, the gradient by which `body` replaces the logits of
    /// the selected rows, some at a time; it goes where `weights` say.
    func differentiate(
        _ row: PackedRow, _ selected: [Int32], _ output: Tensor, _ weights: TransformerTensors,
        _ body: (_ rows: Range<Int>, _ logits: Tensor) -> Void
    ) {
        stack.head(output) { rows, normed, logits in
            body(rows, logits)
            stack.headBackward(logits, normed, rows: rows, weights)
        }
        stack.normBackward(output, weights)
        stack.backward(
            tokens: row.tokens, positions: row.positions, documents: row.documents,
            selected: selected, weights)
    }

    /// The natural-log probability of the target at every position, T of them; 0 where the target
    /// is no id of the vocabulary.
    public func logProbabilities(of row: PackedRow) -> [Float] {
        withFlushedSubnormals {
            var scores: [Float] = []
            let output = forward(row, selected: Array(0..<Int32(row.tokens.count)))
            stack.head(output) { rows, _, logits in
                scores += operations.logProbabilities(
                    logits, targets: Array(row.targets[rows]), u: nil
                ).map { Float($0) }
            }
            return scores
        }
    }

    /// The logits of every position, a row each: for tests and small models.
    package func logits(of row: PackedRow) -> [[Float]] {
        withFlushedSubnormals {
            var result: [[Float]] = []
            let output = forward(row, selected: Array(0..<Int32(row.tokens.count)))
            stack.head(output) { _, _, logits in
                for index in 0..<logits.rows { unsafe result.append(Array(logits.row(index))) }
            }
            return result
        }
    }

    /// The layers over a whole row, each document attending to itself.
    func forward(_ row: PackedRow, selected: [Int32]) -> Tensor {
        let count = row.tokens.count
        precondition(count <= rowTokensMax, "a row of \(count) tokens, room for \(rowTokensMax)")
        precondition(row.targets.count == count && row.weights.count == count)
        let (documents, cache) = (row.documents, stack.activations.cache)
        return stack.forward(tokens: row.tokens, positions: row.positions, selected: selected) {
            [operations, configuration] layer, heads, output, logSumExp in
            let shape = configuration.attention(layer)
            for document in documents {
                let own = heads.rows(document)
                operations.store(cache, keys: own.keys, values: own.values, first: 0, shape: shape)
                operations.attend(
                    output.rows(document), logSumExp: logSumExp.rows(document),
                    queries: own.queries, cache: cache, first: 0, shape: shape)
            }
        }
    }
}

extension PackedRow {
    /// Positions that count: those whose weight is not 0, ascending.
    var weighted: [Int32] {
        weights.indices.lazy.filter { weights[$0] != 0 }.map { Int32($0) }
    }

    /// Each document's range of positions in the row.
    var documents: [Range<Int>] {
        let starts = documentStarts.map { Int($0) }
        precondition(tokens.isEmpty || starts.first == 0, "the first document starts at 0")
        return zip(starts, starts.dropFirst() + [tokens.count]).map { $0..<$1 }
    }

    /// Each token's position in its document.
    var positions: [Int32] { documents.flatMap { 0..<Int32($0.count) } }

    /// −Σ weight × score in fp64, positions ascending.
    func loss(_ selected: [Int32], _ scores: [Double]) -> Double {
        zip(selected, scores).reduce(0) { $0 - Double(weights[Int($1.0)]) * $1.1 }
    }
}

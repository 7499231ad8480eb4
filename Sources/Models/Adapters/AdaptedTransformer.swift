import Tensors

/// A decoder whose weights are frozen, and the adapter that is trained beside them: what learns has a
/// fraction of the parameters, gradients and moments.
///
/// One instance belongs to one thread.
@safe public final class AdaptedTransformer {
    public let base: Transformer
    public let adapter: AdapterConfiguration
    /// Of the adapter's parameters alone.
    public let layout: ParameterLayout
    public let parameters: UnsafeMutableBufferPointer<Float>
    /// The base's weights with adapters beside them, and memory for the passes.
    private let model: Transformer
    private let storage: Storage
    /// Of a row.
    private lazy var gradients = Arena(count: layout.count)

    /// What instances on several threads share.
    @safe private final class Storage: @unchecked Sendable {
        let parameters: Arena
        /// What follows from parameters: two rows for each magnitude.
        let derived: Arena

        init(_ layout: ParameterLayout) {
            parameters = Arena(count: layout.count)
            derived = Arena(count: 2 * layout.count)
        }
    }

    /// An adapter of zeros beside `base`, whose parameters stay where they are and may not change.
    ///
    /// - Parameter rowTokensMax: the longest row to train on.
    public init(_ base: Transformer, _ adapter: AdapterConfiguration, rowTokensMax: Int) {
        self.base = base
        self.adapter = adapter
        layout = ParameterLayout(adapter, for: base.configuration)
        storage = Storage(layout)
        unsafe parameters = storage.parameters.values
        model = Self.model(base, adapter, layout, storage, rowTokensMax: rowTokensMax)
    }

    /// The same adapter in the same memory, for another thread.
    ///
    /// Both may compute at once as long as nobody changes the parameters.
    public init(sharing other: AdaptedTransformer) {
        base = other.base
        adapter = other.adapter
        layout = other.layout
        storage = other.storage
        unsafe parameters = storage.parameters.values
        model = Self.model(
            base, adapter, layout, storage, rowTokensMax: other.model.rowTokensMax)
    }

    /// Begins as PEFT does, where nothing is changed yet: A uniform within ±1 / √in, B zero, magnitudes as
    /// they are; a function of `seed`, tensor and element.
    public func initialize(seed: UInt64) {
        for (index, entry) in layout.entries.enumerated() {
            let values = unsafe UnsafeMutableBufferPointer(
                rebasing: parameters[entry.offset..<(entry.offset + entry.count)])
            guard entry.name.hasSuffix("lora_A.weight") else {
                unsafe values.update(repeating: 0)
                continue
            }
            let bound = 1 / Double(entry.shape[1]).squareRoot()
            for element in values.indices {
                // Streams of their own: those below are a new model's.
                let random = Philox.uniform(
                    SIMD4(UInt32(element), 0, UInt32(index), 1), key: seed)
                unsafe values[element] = Float(bound * (2 * random - 1))
            }
        }
        for (linear, weight) in adapted { linear.initializeMagnitude(weight: weight) }
        parametersChanged()
    }

    /// To be called after parameters changed, once for all that share them.
    public func parametersChanged(threads: Int = 1) {
        for (linear, weight) in adapted { linear.refresh(weight: weight) }
    }

    /// Every adapter with the weights beside which it stands.
    private var adapted: [(LowRank, weight: Tensor)] {
        var found: [(LowRank, weight: Tensor)] = []
        var weights = model.weights
        weights.visitProjections(base.configuration) { _, linear in
            if let adapter = linear.adapter { found.append((adapter, linear.weight.values)) }
        }
        return found
    }

    /// A model of its own with the adapter in its weights: sums in fp64, rounded once to fp32.
    ///
    /// A head that was tied to the embedding and has an adapter is so no longer.
    public func merged() -> Transformer {
        var configuration = base.configuration
        let isUntied = configuration.tiedHead && adapter.targets.contains(.head)
        if isUntied { configuration.tiedHead = false }
        let merged = Transformer(configuration: configuration, rowTokensMax: 1, isTraining: false)
        let (from, to) = (base.layout.byName, merged.layout.byName)
        for (name, entry) in to {
            // Of an untied head, the embedding's.
            let source = from[name] ?? from[TensorName.embedding.weight]
            guard let source else { preconditionFailure("the base has no \(name)") }
            _ = unsafe UnsafeMutableBufferPointer(
                rebasing: merged.parameters[entry.offset..<(entry.offset + entry.count)]
            ).update(
                fromContentsOf: UnsafeBufferPointer(
                    rebasing: base.parameters[source.offset..<(source.offset + source.count)]))
        }
        var adapters: [String: LowRank] = [:]
        var (own, theirs) = (model.weights, merged.weights)
        own.visitProjections(base.configuration) { name, linear in
            adapters[name.weight] = linear.adapter
        }
        theirs.visitProjections(configuration) { name, linear in
            adapters[name.weight]?.merge(into: linear.weight.values)
        }
        return merged
    }

    private static func model(
        _ base: Transformer, _ adapter: AdapterConfiguration, _ layout: ParameterLayout,
        _ storage: Storage, rowTokensMax: Int
    ) -> Transformer {
        let configuration = base.configuration
        let room = LowRank.OwnedRoom(adapter, configuration, rowTokensMax: rowTokensMax)
        let entries = layout.byName
        func parameter(_ name: String) -> Parameter? {
            guard let entry = entries[name],
                let start = unsafe storage.parameters.values.baseAddress
            else { return nil }
            let columns = entry.shape[entry.shape.count - 1]
            return unsafe Parameter(
                values: Tensor(
                    start + entry.offset, rows: entry.count / columns, columns: columns),
                offset: entry.offset)
        }
        func magnitude(_ name: String) -> LowRank.Magnitude? {
            guard let length = parameter(name),
                let start = unsafe storage.derived.values.baseAddress
            else { return nil }
            let count = length.values.columns
            return unsafe LowRank.Magnitude(
                length: length,
                inverse: Tensor(start + 2 * length.offset, rows: 1, columns: count),
                factor: Tensor(start + 2 * length.offset + count, rows: 1, columns: count))
        }
        var weights = base.weights
        weights.visitProjections(configuration) { name, linear in
            let names = AdapterNames(name)
            guard let down = parameter(names.down), let up = parameter(names.up) else { return }
            linear.adapter = LowRank(
                down: down, up: up, scale: Float(adapter.scale),
                magnitude: magnitude(names.magnitude), room: room.tensors)
        }
        return Transformer(
            sharing: base, weights: weights, rowTokensMax: rowTokensMax, isTraining: true,
            keeping: room)
    }
}

extension AdaptedTransformer {
    public func lossSum(of row: PackedRow) -> Double { model.lossSum(of: row) }

    public func lossSum(of row: PackedRow, scale: Float, gradient: any GradientSink) -> Double {
        handing(gradient) { model.lossSum(of: row, scale: scale, $0) }
    }

    public func scores(of row: PackedRow) -> [Double] { model.scores(of: row) }

    @discardableResult
    public func differentiate(
        _ row: PackedRow, gradient: any GradientSink, slopes: (_ scores: [Double]) -> [Float]
    ) -> [Double] {
        handing(gradient) { model.differentiate(row, $0, slopes: slopes) }
    }

    /// The logits of every position, a row each: for tests and small models.
    package func logits(of row: PackedRow) -> [[Float]] { model.logits(of: row) }

    /// Runs a forward and a backward pass, `body`, over weights of which the adapter has room for its
    /// gradient, and nobody else, and hands that over.
    private func handing<Result>(
        _ sink: any GradientSink, _ body: (TransformerTensors) -> Result
    ) -> Result {
        unsafe gradients.values.update(repeating: 0)
        var weights = model.weights
        guard let start = unsafe gradients.values.baseAddress else { return body(weights) }
        weights.visitProjections(base.configuration) { _, linear in
            linear.adapter?.visit { it in unsafe it = it.accumulating(into: start) }
        }
        let result = withFlushedSubnormals { body(weights) }
        weights.visitProjections(base.configuration) { _, linear in
            linear.adapter?.visit { it in
                if let gradient = it.gradient { sink.add(gradient, at: it.offset) }
            }
        }
        return result
    }
}

extension LowRank {
    /// Memory for the passes of one instance, and who owns it.
    final class OwnedRoom {
        let tensors: Room
        private let arena: Arena

        init(
            _ adapter: AdapterConfiguration, _ configuration: TransformerConfiguration,
            rowTokensMax: Int
        ) {
            var plan = ArenaPlan()
            let rows = max(rowTokensMax, Activations.headRows).roundedUp(to: rowBlock)
            let narrow = (0..<2).map { _ in plan.add(rows: rows, columns: adapter.rank) }
            // The head's rows are few and very wide; those of the layers are many.
            let elements = adapter.projections(of: configuration).map { projection in
                let isHead = projection.name.weight == TensorName.head.weight
                return (isHead ? Activations.headRows : rows) * projection.rows.roundedUp(to: 16)
            }
            let wide =
                adapter.kind == .dora ? plan.add(rows: 1, columns: elements.max() ?? 0) : nil
            let arena = Arena(plan)
            self.arena = arena
            tensors = Room(
                narrow: arena[narrow[0]], narrowGradient: arena[narrow[1]],
                wide: wide.map { arena[$0] })
        }
    }
}

extension ParameterLayout {
    fileprivate var byName: [String: Entry] {
        Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0) })
    }
}

import Tensors

/// A decoder's parameters, as what is done with them, over one flat buffer.
struct TransformerTensors {
    struct Layer {
        var inputNorm: Norm
        var queries: Linear
        var keys: Linear
        var values: Linear
        /// Of each head by itself, before the rotation.
        var queryNorm: Norm?
        var keyNorm: Norm?
        var output: Linear
        /// Of what attention adds to the stream.
        var attentionNorm: Norm?
        /// Of what the gated layer reads.
        var middleNorm: Norm
        var gate: Linear
        var up: Linear
        var down: Linear
        /// Of what the gated layer adds to the stream.
        var feedNorm: Norm?

        mutating func visit(_ body: (inout Parameter) -> Void) {
            for path in [\Layer.queries, \.keys, \.values, \.output, \.gate, \.up, \.down] {
                self[keyPath: path].visit(body)
            }
            for path in [\Layer.inputNorm, \.middleNorm] { self[keyPath: path].visit(body) }
            for path in [\Layer.queryNorm, \.keyNorm, \.attentionNorm, \.feedNorm] {
                self[keyPath: path]?.visit(body)
            }
        }
    }

    var embedding: Parameter
    var layers: [Layer]
    var norm: Norm
    /// Over the embedding itself where the head is tied.
    var head: Linear

    /// Views of `buffer`, whose tensors lie where `layout` says.
    init(
        _ layout: ParameterLayout, _ configuration: TransformerConfiguration,
        over buffer: UnsafeMutableBufferPointer<Float>
    ) {
        let reader = unsafe Reader(layout, configuration, over: buffer)
        embedding = reader.parameter(.embedding)
        layers = (0..<configuration.layers).map { reader.layer($0) }
        norm = reader.norm(.finalNorm)
        head = configuration.tiedHead ? Linear(weight: embedding) : reader.linear(.head)
    }

    /// The matrices of all projections; the embedding among them where the head is tied.
    var projections: [Tensor] {
        layers.flatMap { layer in
            [
                layer.queries, layer.keys, layer.values, layer.output, layer.gate, layer.up,
                layer.down,
            ].map(\.weight.values)
        } + [head.weight.values]
    }

    /// Calls `body` for every parameter; one that serves as embedding and head is visited as both.
    mutating func visit(_ body: (inout Parameter) -> Void) {
        body(&embedding)
        for index in layers.indices { layers[index].visit(body) }
        norm.visit(body)
        head.visit(body)
    }
}

extension TransformerTensors {
    /// Every projection with the name of its weights: layer after layer, then the head.
    mutating func visitProjections(
        _ configuration: TransformerConfiguration,
        _ body: (_ name: TensorName, inout Linear) -> Void
    ) {
        let parts: [(WritableKeyPath<Layer, Linear>, LayerPart)] = [
            (\.queries, .queries), (\.keys, .keys), (\.values, .values), (\.output, .output),
            (\.gate, .gate), (\.up, .up), (\.down, .down),
        ]
        for index in layers.indices {
            for (path, part) in parts {
                body(
                    TensorName(layer: index, part, configuration),
                    &layers[index][keyPath: path])
            }
        }
        body(.head, &head)
    }
}

/// Finds tensors by their names.
@safe private struct Reader {
    private let entries: [String: ParameterLayout.Entry]
    private let configuration: TransformerConfiguration
    private let base: UnsafeMutablePointer<Float>

    init(
        _ layout: ParameterLayout, _ configuration: TransformerConfiguration,
        over buffer: UnsafeMutableBufferPointer<Float>
    ) {
        guard let base = buffer.baseAddress, buffer.count == layout.count else {
            preconditionFailure("a buffer of \(buffer.count) elements for \(layout.count)")
        }
        entries = Dictionary(uniqueKeysWithValues: layout.entries.map { ($0.name, $0) })
        self.configuration = configuration
        unsafe self.base = base
    }

    private func find(_ name: String) -> Parameter? {
        entries[name].map { entry in
            let columns = entry.shape[entry.shape.count - 1]
            return unsafe Parameter(
                values: Tensor(
                    base + entry.offset, rows: entry.count / columns, columns: columns),
                offset: entry.offset)
        }
    }

    func parameter(_ name: TensorName) -> Parameter {
        guard let parameter = find(name.weight) else {
            preconditionFailure("the layout has no \(name.weight)")
        }
        return parameter
    }

    func linear(_ name: TensorName) -> Linear {
        Linear(weight: parameter(name), bias: find(name.bias))
    }

    func norm(_ name: TensorName) -> Norm { norm(parameter(name)) }

    private func norm(_ gain: Parameter) -> Norm {
        Norm(
            gain: gain, offset: configuration.gainOffset,
            epsilon: Float(configuration.normEpsilon))
    }

    private func optionalNorm(_ name: TensorName) -> Norm? { find(name.weight).map { norm($0) } }

    func layer(_ index: Int) -> TransformerTensors.Layer {
        func name(_ part: LayerPart) -> TensorName {
            TensorName(layer: index, part, configuration)
        }
        return TransformerTensors.Layer(
            inputNorm: norm(name(.inputNorm)), queries: linear(name(.queries)),
            keys: linear(name(.keys)), values: linear(name(.values)),
            queryNorm: optionalNorm(name(.queryNorm)), keyNorm: optionalNorm(name(.keyNorm)),
            output: linear(name(.output)),
            attentionNorm: optionalNorm(name(.attentionNorm)),
            middleNorm: norm(name(.middleNorm)), gate: linear(name(.gate)),
            up: linear(name(.up)), down: linear(name(.down)),
            feedNorm: optionalNorm(name(.feedNorm)))
    }
}

import Tensors

/// A decoder's parameters, or their gradient, as matrices over one flat buffer.
struct LlamaTensors {
    struct Layer {
        let inputNorm: Tensor
        let queries: Tensor
        let keys: Tensor
        let values: Tensor
        let output: Tensor
        let middleNorm: Tensor
        let gate: Tensor
        let up: Tensor
        let down: Tensor
    }

    let embedding: Tensor
    let layers: [Layer]
    let norm: Tensor
    /// The embedding itself where the head is tied.
    let head: Tensor

    /// Views of `buffer`, in the order in which `ParameterLayout` lays a decoder out.
    init(_ layout: ParameterLayout, tied: Bool, over buffer: UnsafeMutableBufferPointer<Float>) {
        guard let base = buffer.baseAddress, buffer.count == layout.count else {
            preconditionFailure("a buffer of \(buffer.count) elements for \(layout.count)")
        }
        var tensors = layout.entries.map { entry in
            unsafe Tensor(
                base + entry.offset, rows: entry.shape.count > 1 ? entry.shape[0] : 1,
                columns: entry.shape[entry.shape.count - 1])
        }[...]
        embedding = tensors.removeFirst()
        let tail = tied ? 1 : 2
        var layers: [Layer] = []
        while tensors.count > tail {
            let it = Array(tensors.prefix(9))
            tensors = tensors.dropFirst(9)
            layers.append(
                Layer(
                    inputNorm: it[0], queries: it[1], keys: it[2], values: it[3], output: it[4],
                    middleNorm: it[5], gate: it[6], up: it[7], down: it[8]))
        }
        self.layers = layers
        norm = tensors.removeFirst()
        head = tensors.first ?? embedding
    }
}

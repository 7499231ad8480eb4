extension ParameterLayout {
    /// Lays `tensors` out in their order, each beginning at a multiple of 1,024 elements.
    public init(_ tensors: [(name: String, shape: [Int], isDecayed: Bool)]) {
        var entries: [Entry] = []
        var offset = 0
        for tensor in tensors {
            let count = tensor.shape.reduce(1, *)
            entries.append(
                Entry(
                    name: tensor.name, shape: tensor.shape, offset: offset, count: count,
                    isDecayed: tensor.isDecayed))
            offset += (count + 1023) / 1024 * 1024
        }
        self.init(entries: entries, count: offset)
    }
}

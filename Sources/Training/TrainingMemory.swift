public import Models

/// What a rank takes of its node's memory while it trains, by what it allocates.
public struct TrainingMemory: Sendable, Equatable {
    /// In bytes: the weights, for each thread a copy; of frozen ones one, and one to put the adapter into
    /// at the end.
    public var weights: Int
    /// A gradient a thread, and the integer sum of all gradients.
    public var gradients: Int
    /// AdamW's two.
    public var moments: Int
    /// Of a row, a thread.
    public var activations: Int

    /// The program, its libraries and what MPI takes to exchange sums, as measured with Open MPI 4.1.
    public static let program = 64 << 20

    /// - Parameter threads: of a rank; each computes rows of its own.
    public init(
        _ configuration: TransformerConfiguration, adapter: AdapterConfiguration? = nil,
        rowTokens: Int,
        threads: Int = 1
    ) {
        let float = MemoryLayout<Float>.stride
        let base = ParameterLayout(configuration).count
        let count = adapter.map { ParameterLayout($0, for: configuration).count } ?? base
        weights = (adapter == nil ? threads * base : 2 * base + 3 * count) * float
        gradients = count * (threads * float + MemoryLayout<Int64>.stride)
        moments = 2 * count * float
        activations = threads * configuration.trainingBytes(rowTokens: rowTokens)
    }

    public var bytes: Int { Self.program + weights + gradients + moments + activations }
}

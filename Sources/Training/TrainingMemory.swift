public import Models
public import Tensors

/// What a rank takes of its node's memory while it trains, by what it allocates.
public struct TrainingMemory: Sendable, Equatable {
    /// In bytes: the weights, and in bf16 the copies that products read, which threads share; of frozen
    /// ones one more, to put the adapter into at the end.
    public var weights: Int
    /// The integer sum of all gradients, and what a thread keeps of a row's.
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
        rowTokens: Int, threads: Int = 1, precision: Precision = .fp32
    ) {
        let float = MemoryLayout<Float>.stride
        let base = ParameterLayout(configuration)
        let layout = adapter.map { ParameterLayout($0, for: configuration) } ?? base
        // Packed copies are two, of two bytes an element.
        let packed = precision == .bf16 ? base.count : 0
        let plain = adapter == nil ? base.count : 2 * base.count + 3 * layout.count
        weights = (plain + packed) * float
        let kept = adapter == nil ? layout.gradientBytes : layout.count * float
        gradients = layout.count * MemoryLayout<Int64>.stride + threads * kept
        moments = 2 * layout.count * float
        activations = threads * configuration.trainingBytes(rowTokens: rowTokens)
    }

    public var bytes: Int { Self.program + weights + gradients + moments + activations }
}

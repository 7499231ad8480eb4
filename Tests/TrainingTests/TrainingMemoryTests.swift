import Models
import Tensors
import Testing
import Training

/// What a rank takes of memory is what it allocates.
@Suite struct MemoryOfRanks {
    private let small = TransformerConfiguration(
        hidden: 64, layers: 2, heads: 4, keyValueHeads: 2, intermediate: 128, vocabulary: 512)

    @Test func `weights, gradients and moments are counted as they are kept`() {
        let layout = ParameterLayout(small)
        let (count, kept) = (layout.count, layout.gradientBytes)
        let memory = TrainingMemory(small, rowTokens: 128)
        // fp32 weights, the gradient's int64 sum, two fp32 moments.
        #expect(memory.weights == 4 * count && memory.gradients == 8 * count + kept)
        #expect(memory.moments == 8 * count)
        #expect(
            memory.bytes
                == TrainingMemory.program + 20 * count + kept
                + small.trainingBytes(rowTokens: 128))
        // Each thread keeps gradients and activations of its own; weights, sums and moments are shared.
        let two = TrainingMemory(small, rowTokens: 128, threads: 2)
        #expect(two.bytes - memory.bytes == kept + memory.activations)
        let halves = TrainingMemory(small, rowTokens: 128, precision: .bf16)
        #expect(halves.bytes - memory.bytes == 4 * count)
        // The embedding's and the norms' gradients, and one projection's.
        #expect(kept >= 4 * (512 * 64 + 64 * 128) && kept < 4 * count)
    }

    @Test func `activations grow with rows and layers`() {
        let long = small.trainingBytes(rowTokens: 256)
        var deep = small
        deep.layers = 4
        let rows = 128 * 4
        // At least the residual stream, queries, keys, values, attention, gate and up of two more layers.
        let least = 2 * rows * (2 * 64 + 64 + 2 * 32 + 64 + 2 * 128)
        #expect(deep.trainingBytes(rowTokens: 128) - small.trainingBytes(rowTokens: 128) >= least)
        #expect(long > small.trainingBytes(rowTokens: 128) * 3 / 2)
    }
}

import FlywheelCore
import Foundation
import Models
import Synchronization
import Tensors

/// The matrix products of a step, and nothing else: what a training could not be faster than.
///
/// Every thread makes those of its rows, at the same time as the others, as in a step: for every
/// projection y = x Wᵀ, dx = dy W and dW = dyᵀ x, on operands of chance. One layer's matrices stand for
/// those of all layers.
struct ProductSweep {
    let configuration: TransformerConfiguration
    let precision: Precision
    let rows: Int
    let rowTokens: Int
    let threads: Int

    /// [out, in] of a layer's projections.
    private var layer: [(out: Int, in: Int)] {
        let it = configuration
        let (queries, keys) = (it.heads * it.headDimension, it.keyValueHeads * it.headDimension)
        return [
            (queries, it.hidden), (keys, it.hidden), (keys, it.hidden), (it.hidden, queries),
            (it.intermediate, it.hidden), (it.intermediate, it.hidden),
            (it.hidden, it.intermediate),
        ]
    }

    /// The median of `times` sweeps.
    func seconds(times: Int) -> Double {
        let work = Mutex<[Int: Double]>([:])
        inParallel(threads, threads: threads) { [self] index in
            let seconds = measure(rows: rows / threads + (index < rows % threads ? 1 : 0), times)
            work.withLock { $0[index] = seconds }
        }
        return work.withLock { $0.values.max() ?? 0 }
    }

    private func measure(rows: Int, _ times: Int) -> Double {
        let shapes = layer + [(configuration.vocabulary, configuration.hidden)]
        // Logits exist for some rows at a time.
        let tokens = shapes.indices.map {
            $0 == shapes.count - 1 ? min(2 * rowBlock, rowTokens) : rowTokens
        }
        let outputs = zip(shapes, tokens).map { $0.out * $1.roundedUp(to: rowBlock) }.max() ?? 1
        let inputs = zip(shapes, tokens).map { $0.in * $1.roundedUp(to: rowBlock) }.max() ?? 1
        var plan = ArenaPlan()
        let matrices = shapes.map { plan.add(rows: $0.out, columns: $0.in) }
        let places = [outputs, inputs, inputs, shapes.map { $0.out * $0.in }.max() ?? 1]
            .map { plan.add(rows: 1, columns: $0) }
        let arena = Arena(plan)
        unsafe Philox.fillNormal(arena.values, deviation: 0.1, key: 7, stream: 0)
        let weights = matrices.map { arena[$0] }
        let packed = PackedWeights(weights, precision: precision, isTraining: true)
        packed.refresh()
        let operations = CPUOperations(weights: packed)
        func view(_ place: Int, _ rows: Int, _ columns: Int) -> Tensor {
            unsafe Tensor(arena[places[place]].values, rows: rows, columns: columns)
        }
        let seconds = (0..<times).map { _ in
            let clock = ContinuousClock()
            let start = clock.now
            for (number, weight) in weights.enumerated() {
                let (own, shape) = (tokens[number], shapes[number])
                let turns =
                    number == weights.count - 1
                    ? rows * rowTokens / own : rows * configuration.layers
                let (y, x) = (view(0, own, shape.out), view(1, own, shape.in))
                let (dx, dw) = (view(2, own, shape.in), view(3, shape.out, shape.in))
                for _ in 0..<turns {
                    operations.linear(y, x, weight: weight, adding: false)
                    operations.linearInputGradient(dx, y, weight: weight, adding: false)
                    operations.linearWeightGradient(dw, y, x, adding: false)
                }
            }
            return (clock.now - start).inSeconds
        }
        return seconds.quantile(0.5)
    }
}

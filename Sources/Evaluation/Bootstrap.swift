import Foundation
import Tensors

/// The bias-corrected and accelerated bootstrap of a mean (Efron 1987; Efron and Tibshirani 1993,
/// chapter 14), as `scipy.stats.bootstrap(method="BCa")` computes it.
///
/// The random numbers are a function of resample and draw alone, so that equal scores have equal
/// intervals on every machine.
package struct Bootstrap {
    /// So many that the ends of an interval move by about a fortieth of its width when others are
    /// drawn.
    static let resamples = 4_000
    /// Any number; it is part of what an interval is.
    private static let key: UInt64 = 0x1987_0005

    let mean: Double
    /// In ascending order.
    private let replicates: [Double]
    private let values: [Double]

    package init(of values: [Double]) {
        self.init(of: values, replicates: Self.replicates(of: values))
    }

    /// `replicates` are means of samples drawn from `values`.
    package init(of values: [Double], replicates: [Double]) {
        self.values = values
        mean = values.reduce(0, +) / Double(values.count)
        self.replicates = replicates.sorted()
    }

    var varies: Bool { values.contains { $0 != values[0] } }

    private static func replicates(of values: [Double]) -> [Double] {
        guard values.contains(where: { $0 != values[0] }) else { return [] }
        let count = UInt64(values.count)
        return (0..<resamples).map { resample in
            var sum = 0.0
            for block in 0..<(values.count + 3) / 4 {
                let bits = Philox.bits(
                    SIMD4(UInt32(block), UInt32(resample), 0, 0), key: key)
                for lane in 0..<min(4, values.count - 4 * block) {
                    sum += values[Int((UInt64(bits[lane]) * count) >> 32)]
                }
            }
            return sum / Double(values.count)
        }
    }

    /// 95 %, bias-corrected and accelerated; that of the plain percentiles where all replicates lie
    /// on one side of the mean, so that there is no bias to be had.
    package var interval: Interval {
        let (low, high) = levels
        return Interval(value: mean, low: quantile(low), high: quantile(high))
    }

    private var levels: (Double, Double) {
        let below = replicates.count { $0 < mean }
        let upTo = replicates.count { $0 <= mean }
        let share = Double(below + upTo) / Double(2 * replicates.count)
        let bias = Normal.quantile(share)
        let deviations = values.map { $0 - mean }
        let squares = deviations.map { $0 * $0 }.reduce(0, +)
        let cubes = deviations.map { $0 * $0 * $0 }.reduce(0, +)
        let acceleration = cubes / (6 * squares * squares.squareRoot())
        func level(_ z: Double) -> Double {
            Normal.share(below: bias + (bias + z) / (1 - acceleration * (bias + z)))
        }
        let adjusted = (level(-Interval.z), level(Interval.z))
        guard bias.isFinite, adjusted.0.isFinite, adjusted.1.isFinite else {
            return (0.025, 0.975)
        }
        return adjusted
    }

    /// By linear interpolation between the two nearest replicates.
    private func quantile(_ level: Double) -> Double {
        let place = level * Double(replicates.count - 1)
        let index = min(Int(place), replicates.count - 2)
        let (a, b) = (replicates[index], replicates[index + 1])
        return a + (b - a) * (place - Double(index))
    }
}

/// The standard normal distribution.
enum Normal {
    static func share(below z: Double) -> Double { erfc(-z / 2.0.squareRoot()) / 2 }

    /// The point below which `share` lies, by bisection; infinite for 0 and 1.
    static func quantile(_ share: Double) -> Double {
        guard share > 0, share < 1 else { return share > 0 ? .infinity : -.infinity }
        var (low, high) = (-38.0, 38.0)
        for _ in 0..<120 where high - low > 0 {
            let middle = (low + high) / 2
            if Self.share(below: middle) < share { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }
}

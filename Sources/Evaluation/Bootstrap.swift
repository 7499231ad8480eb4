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

    /// The mean, or another statistic of all that was observed.
    let mean: Double
    let varies: Bool
    /// In ascending order.
    private let replicates: [Double]
    /// How far each row draws the statistic from where it is without that row, in any unit.
    private let deviations: [Double]

    package init(of values: [Double]) {
        self.init(of: values, replicates: Self.replicates(of: values))
    }

    /// `replicates` are means of samples drawn from `values`.
    package init(of values: [Double], replicates: [Double]) {
        let mean = values.reduce(0, +) / Double(values.count)
        self.mean = mean
        varies = values.contains { $0 != values[0] }
        deviations = values.map { $0 - mean }
        self.replicates = replicates.sorted()
    }

    /// Of a function of sums, where each row adds as many counts as every other.
    ///
    /// `statistic` is asked of their totals. Rows are drawn whole, so counts within one need not be
    /// independent.
    init(of rows: [[Double]], _ statistic: ([Double]) -> Double) {
        let totals = Self.totals(of: rows)
        mean = statistic(totals)
        varies = rows.contains { $0 != rows[0] }
        let without = rows.map { row in statistic(zip(totals, row).map { $0 - $1 }) }
        let centre = without.reduce(0, +) / Double(rows.count)
        deviations = without.map { centre - $0 }
        guard varies else {
            replicates = []
            return
        }
        replicates = (0..<Self.resamples).map { resample in
            var sums = [Double](repeating: 0, count: totals.count)
            Self.draw(rows.count, resample) { row in
                for (place, value) in rows[row].enumerated() { sums[place] += value }
            }
            return statistic(sums)
        }.sorted()
    }

    private static func totals(of rows: [[Double]]) -> [Double] {
        rows.dropFirst().reduce(rows[0]) { totals, row in zip(totals, row).map { $0 + $1 } }
    }

    private static func replicates(of values: [Double]) -> [Double] {
        guard values.contains(where: { $0 != values[0] }) else { return [] }
        return (0..<resamples).map { resample in
            var sum = 0.0
            draw(values.count, resample) { sum += values[$0] }
            return sum / Double(values.count)
        }
    }

    /// Calls `body` with the `count` rows of sample `resample`.
    private static func draw(_ count: Int, _ resample: Int, _ body: (Int) -> Void) {
        for block in 0..<(count + 3) / 4 {
            let bits = Philox.bits(SIMD4(UInt32(block), UInt32(resample), 0, 0), key: key)
            for lane in 0..<min(4, count - 4 * block) {
                body(Int((UInt64(bits[lane]) * UInt64(count)) >> 32))
            }
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

public import Datasets
import Foundation

/// Whether two samples of texts can be told apart.
///
/// The statistic is the unbiased squared maximum mean discrepancy with a Gaussian kernel whose width is
/// the median distance, and the p-value that of permuting who is of which sample (Gretton, Borgwardt,
/// Rasch, Schölkopf and Smola, "A Kernel Two-Sample Test", JMLR 13, 2012, equation 3 and section 8;
/// Phipson and Smyth, "Permutation P-values Should Never Be Zero", 2010, for the one that is added). A
/// text is the signed hash of its distinct shingles into 256 numbers (Weinberger et al., "Feature
/// Hashing for Large Scale Multitask Learning", 2009), scaled to length 1. What most texts of both
/// have, as a prompt's wording, is left out.
public struct TwoSampleTest: Sendable, Equatable, Codable {
    /// The squared discrepancy: near 0 for samples of one distribution, and below it by chance.
    public var statistic: Double
    /// The probability of at least this discrepancy where there is no difference.
    public var pValue: Double
    /// The texts compared.
    public var first: Int
    public var second: Int
    /// Indices of texts of the second sample that the first has least like, the least first.
    public var missed: [Int]

    /// Texts taken at most of each.
    public static let textsMax = 400
    /// Fewer of either say nothing.
    public static let textsMin = 20
    public static let permutations = 499

    /// Nil where either has fewer than `textsMin` texts.
    ///
    /// Of more than `textsMax`, as many are drawn.
    public init?(_ first: [NormalText], _ second: [NormalText], seed: UInt64 = 0) {
        guard min(first.count, second.count) >= Self.textsMin else { return nil }
        var chance = Chance(seed: seed)
        let a = Self.sample(first.indices, &chance)
        let b = Self.sample(second.indices, &chance)
        let texts = a.map { first[$0] } + b.map { second[$0] }
        let kernel = Kernel(texts)
        let all = Array(texts.indices)
        statistic = kernel.discrepancy(all, first: a.count)
        var beyond = 1
        var order = all
        for _ in 0..<Self.permutations {
            chance.shuffle(&order)
            if kernel.discrepancy(order, first: a.count) >= statistic { beyond += 1 }
        }
        pValue = Double(beyond) / Double(Self.permutations + 1)
        (self.first, self.second) = (a.count, b.count)
        missed = kernel.missed(first: a.count).prefix(5).map { b[$0] }
    }

    /// So many of `indices` as are compared, in their order.
    private static func sample(_ indices: Range<Int>, _ chance: inout Chance) -> [Int] {
        guard indices.count > textsMax else { return Array(indices) }
        var all = Array(indices)
        chance.shuffle(&all)
        return all.prefix(textsMax).sorted()
    }
}

/// How near each of some texts is to each, from 0 to 1.
private struct Kernel {
    private static let dimensions = 256
    private let count: Int
    /// Row by row; 0 on the diagonal, which the unbiased statistic leaves out.
    private var values: [Float]
    private var sums: [Double]
    private var total: Double

    init(_ texts: [NormalText]) {
        count = texts.count
        let common = Shingles.common(to: texts)
        let vectors = texts.map { Self.vector($0, without: common) }
        // Vectors have length 1 (or 0), so distances follow from products.
        var distances = [Float](repeating: 0, count: count * count)
        var spread: [Float] = []
        for i in 0..<count {
            for j in i + 1..<max(count, i + 1) {
                var distance: Float = 0
                for k in 0..<Self.dimensions {
                    let difference = vectors[i][k] - vectors[j][k]
                    distance += difference * difference
                }
                distances[i * count + j] = distance
                distances[j * count + i] = distance
                spread.append(distance)
            }
        }
        spread.sort()
        let median = spread.isEmpty ? 1 : max(spread[spread.count / 2], 1e-6)
        values = distances.map { exp(-$0 / median) }
        for i in 0..<count { values[i * count + i] = 0 }
        sums = []
        total = 0
        for i in 0..<count {
            sums.append(values[i * count..<(i + 1) * count].reduce(0) { $0 + Double($1) })
            total += sums[i]
        }
    }

    /// The discrepancy where the first `first` of `order` are one sample and the rest the other.
    func discrepancy(_ order: [Int], first: Int) -> Double {
        let own = order.prefix(first)
        var within = 0.0
        for i in own {
            let row = i * count
            var sum: Float = 0
            for j in own { sum += values[row + j] }
            within += Double(sum)
        }
        let touching = own.reduce(0) { $0 + sums[$1] }
        let across = touching - within
        let (m, n) = (Double(first), Double(count - first))
        let rest = total - within - 2 * across
        return within / (m * (m - 1)) + rest / (n * (n - 1)) - 2 * across / (m * n)
    }

    /// The places in the second sample by how much nearer they are to it than to the first.
    func missed(first: Int) -> [Int] {
        let (m, n) = (Double(first), Double(count - first - 1))
        let excess = (first..<count).map { i in
            let near = values[i * count..<i * count + first].reduce(0) { $0 + Double($1) }
            return (sums[i] - near) / n - near / m
        }
        return excess.indices.sorted { (excess[$1], $0) < (excess[$0], $1) }
    }

    private static func vector(_ text: NormalText, without common: Set<UInt64>) -> [Float] {
        var vector = [Float](repeating: 0, count: dimensions)
        for shingle in Set(Shingles(of: text).all) where !common.contains(shingle) {
            let hash = MinHash.mix(shingle)
            vector[Int(hash % UInt64(dimensions))] += hash >> 63 == 0 ? 1 : -1
        }
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return length > 0 ? vector.map { $0 / length } : vector
    }
}

/// Numbers of chance that a seed repeats: SplitMix64 (Steele, Lea and Flood, 2014).
struct Chance {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return MinHash.mix(state)
    }

    /// After Fisher and Yates.
    ///
    /// What the modulo prefers is less than one in 2^50.
    mutating func shuffle(_ values: inout [Int]) {
        for index in stride(from: values.count - 1, to: 0, by: -1) {
            values.swapAt(index, Int(next() % UInt64(index + 1)))
        }
    }
}

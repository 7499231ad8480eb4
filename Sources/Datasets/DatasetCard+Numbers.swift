import Foundation

extension DatasetCard {
    /// How long rows are.
    public struct Lengths: Sendable, Equatable, Codable {
        public var min: Int
        public var median: Int
        public var p95: Int
        public var max: Int
        /// Rows by length, in steps that double.
        public var histogram: [Bin]?

        /// Rows of a length from `from` to less than `to`.
        public struct Bin: Sendable, Equatable, Codable {
            public var from: Int
            public var to: Int
            public var rows: Int
        }

        /// By nearest rank: each is a length that some row has.
        init(_ lengths: [Int]) {
            let sorted = lengths.sorted()
            func quantile(_ share: Double) -> Int {
                guard !sorted.isEmpty else { return 0 }
                let rank = Int((share * Double(sorted.count)).rounded(.up))
                return sorted[Swift.max(rank, 1) - 1]
            }
            min = sorted.first ?? 0
            median = quantile(0.5)
            p95 = quantile(0.95)
            max = sorted.last ?? 0
            var bins: [Bin] = []
            for length in sorted {
                while bins.last.map({ $0.to <= length }) ?? true {
                    let from =
                        bins.last?.to
                        ?? (length == 0 ? 0 : 1 << (Int.bitWidth - 1 - length.leadingZeroBitCount))
                    bins.append(Bin(from: from, to: Swift.max(1, from * 2), rows: 0))
                }
                bins[bins.count - 1].rows += 1
            }
            histogram = bins
        }
    }

    /// How rows are spread over the values of something.
    public struct Balance: Sendable, Equatable, Codable {
        /// Rows that have a value.
        public var rows: Int
        public var distinct: Int
        /// Of the values' distribution, in bits; at most the logarithm of `distinct`.
        public var entropy: Double
        /// The most frequent ten at most; ties in order of their text.
        public var values: [Value]

        public struct Value: Sendable, Equatable, Codable {
            public var text: String
            public var rows: Int
            /// Of the rows that have a value.
            public var share: Double
        }

        /// Nil where no row has a value.
        init?(_ values: [String?]) {
            var counts: [String: Int] = [:]
            for case let value? in values { counts[value, default: 0] += 1 }
            guard !counts.isEmpty else { return nil }
            let rows = counts.values.reduce(0, +)
            self.rows = rows
            distinct = counts.count
            let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            // Summed in one order, so that equal rows give equal bits; one value has 0, not -0.
            entropy = sorted.reduce(0) { sum, entry in
                let share = Double(entry.value) / Double(rows)
                return sum + share * log2(1 / share)
            }
            self.values = sorted.prefix(10).map {
                Value(text: $0.key, rows: $0.value, share: Double($0.value) / Double(rows))
            }
        }

        /// The entropy of as many values in equal shares.
        public var entropyMost: Double { log2(Double(distinct)) }
    }
}

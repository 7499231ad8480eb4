import Foundation

/// Random numbers that are the same on every run: SplitMix64 (Steele, Lea and Flood, 2014).
///
/// Put the generator, which prints its seed, into the message of an expectation that may fail.
public struct SeededNumbers: RandomNumberGenerator, Sendable, CustomStringConvertible {
    public let seed: UInt64
    private var state: UInt64

    public init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    public var description: String { "seed \(seed)" }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// At least `low`, less than `high`.
    public mutating func uniform(_ low: Double = 0, _ high: Double = 1) -> Double {
        low + (high - low) * Double(next() >> 11) * 0x1p-53
    }

    /// An integer of `range`.
    public mutating func integer(in range: Range<Int>) -> Int {
        Int.random(in: range, using: &self)
    }

    /// Normally distributed (Box and Muller, 1958).
    public mutating func normal(mean: Double = 0, deviation: Double = 1) -> Double {
        let radius = (-2 * log(1 - uniform())).squareRoot()
        return mean + deviation * radius * cos(2 * .pi * uniform())
    }

    public mutating func normals(_ count: Int, deviation: Float = 1) -> [Float] {
        (0..<count).map { _ in Float(normal(deviation: Double(deviation))) }
    }

    public mutating func uniforms(
        _ count: Int, _ low: Float = 0, _ high: Float = 1
    ) -> [Float] {
        (0..<count).map { _ in Float(uniform(Double(low), Double(high))) }
    }
}

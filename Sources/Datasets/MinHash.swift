/// Signatures whose equal places estimate the resemblance of two sets of shingles.
///
/// The sketch is that of Dahlgaard, Knudsen and Thorup, "Fast Similarity Sketching" (FOCS 2017): in
/// rounds, each shingle is thrown into one place and the least hash stays, until no place is empty.
/// Each place of two sketches is equal with the probability of the sets' resemblance, almost as
/// independently as with one hash function a place (Broder, 1997), in time that grows with the number
/// of shingles and not with that times the places.
public struct MinHash: Sendable {
    /// Numbers in a signature, a power of two.
    public static let places = 128
    private let seeds: [UInt64]

    public init(seed: UInt64 = 0) {
        var state = seed
        seeds = (0..<Self.places + Self.rounds).map { _ in
            state &+= 0x9E37_79B9_7F4A_7C15
            return Self.mix(state)
        }
    }

    /// Rounds in which shingles choose their place; after those each place is filled in its turn.
    private static let rounds = places

    /// The signature of `shingles`; nil where there are none.
    public func signature(of shingles: Shingles) -> [UInt32]? {
        guard !shingles.all.isEmpty else { return nil }
        let places = Self.places
        var least = [UInt64](repeating: .max, count: places)
        var empty = places
        for (round, seed) in seeds.enumerated() where empty > 0 {
            for shingle in shingles.all {
                let hash = Self.mix(shingle ^ seed)
                let place = round < Self.rounds ? Int(hash >> 57) : round - Self.rounds
                // Earlier rounds come first: a place once filled is not won by a later one.
                let value = UInt64(round) << 56 | hash & 0xFF_FFFF_FFFF_FFFF
                if least[place] == .max { empty -= 1 }
                if value < least[place] { least[place] = value }
            }
        }
        return least.map { UInt32(truncatingIfNeeded: Self.mix($0)) }
    }

    /// The share of equal places: an estimate of the resemblance, with a deviation of at most 0.045.
    static func estimate(_ a: some Collection<UInt32>, _ b: some Collection<UInt32>) -> Double {
        Double(zip(a, b).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) }) / Double(places)
    }

    /// A permutation of 64 bits that leaves no pattern: the last step of SplitMix64 (Steele, Lea and
    /// Flood, 2014).
    package static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

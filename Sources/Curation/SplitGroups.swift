import Datasets
import FlywheelCore

/// Which captures stay together when a dataset is split: those of one episode, those that are copies
/// of each other, and whatever follows from the two.
public struct SplitGroups: Sendable, Equatable {
    /// By capture: the index of the first of its group.
    public let groups: [Int]

    /// - Parameters:
    ///   - episodes: by capture; nil where it belongs to none.
    ///   - copies: by capture, the index of the first of its near copies.
    public init(episodes: [String?], copies: [Int]) {
        var sets = DisjointSets(Array(copies.indices))
        var first: [String: Int] = [:]
        for index in copies.indices {
            sets.join(index, copies[index])
            guard let episode = episodes[index] else { continue }
            if let other = first[episode] {
                sets.join(index, other)
            } else {
                first[episode] = index
            }
        }
        groups = copies.indices.map(sets.root)
    }

    /// The index among `shares` of the piece to which the group called `name` belongs; nil for the rest.
    ///
    /// A function of name and seed alone, so that new groups move no old one.
    public static func piece(of name: String, shares: [Double], seed: UInt64) -> Int? {
        let hash = UInt64(Digest(of: "\(seed)\u{3}\(name)").hex.prefix(13), radix: 16) ?? 0
        var place = Double(hash) * 0x1p-52
        for (index, share) in shares.enumerated() {
            if place < share { return index }
            place -= share
        }
        return nil
    }
}

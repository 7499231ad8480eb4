/// The merges of a byte-pair encoding: which pairs of tokens join, in which order, into what.
struct MergeTable: Sendable {
    /// What `rank` says of a pair that does not join.
    static let none = UInt32.max

    private var keys: [UInt64]
    private var ranks: [UInt32]
    private var merged: [Int32] = []

    init(capacity: Int) {
        var slots = 16
        while slots < capacity * 2 { slots *= 2 }
        keys = Array(repeating: .max, count: slots)
        ranks = Array(repeating: Self.none, count: slots)
    }

    var count: Int { merged.count }

    /// The token that the merge of this rank makes.
    func result(_ rank: UInt32) -> Int32 { merged[Int(rank)] }

    /// The rank of the merge of `left` and `right`: lower ones go first.
    func rank(_ left: Int32, _ right: Int32) -> UInt32 {
        let key = Self.key(left, right)
        return ranks[slot(of: key)]
    }

    /// Appends a merge, ranked after all before; of a pair that comes twice the last rank counts.
    mutating func append(_ left: Int32, _ right: Int32, makes result: Int32) {
        precondition((merged.count + 1) * 2 <= keys.count, "more merges than were announced")
        let key = Self.key(left, right)
        let slot = slot(of: key)
        keys[slot] = key
        ranks[slot] = UInt32(merged.count)
        merged.append(result)
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private func slot(of key: UInt64) -> Int {
        let mask = keys.count - 1
        let hash = key &* 0x9E37_79B9_7F4A_7C15
        var slot = Int(truncatingIfNeeded: hash >> 32) & mask
        while keys[slot] != key, keys[slot] != .max { slot = (slot + 1) & mask }
        return slot
    }
}

/// Byte strings, numbered in order of arrival and found again by their bytes.
///
/// A `Dictionary` of strings will not do: Swift's strings are equal where Unicode says so, and
/// tokens where their bytes are.
struct PieceTable: Sendable {
    private(set) var bytes: [UInt8] = []
    private var ends: [Int] = [0]
    private var slots: [Int32]

    init(capacity: Int = 8) {
        slots = Array(repeating: -1, count: Self.slotCount(for: capacity))
    }

    var count: Int { ends.count - 1 }

    /// Where the bytes of piece `index` lie in `bytes`.
    func range(_ index: Int) -> Range<Int> { ends[index]..<ends[index + 1] }

    /// The number of the piece `text[range]`.
    func find(_ text: [UInt8], _ range: Range<Int>) -> Int? {
        let index = slots[slot(of: text, range)]
        return index < 0 ? nil : Int(index)
    }

    /// The number of the piece `text[range]`, which is added where it is new.
    mutating func insert(_ text: [UInt8], _ range: Range<Int>) -> Int {
        if (count + 1) * 2 > slots.count { grow() }
        let slot = slot(of: text, range)
        if slots[slot] >= 0 { return Int(slots[slot]) }
        slots[slot] = Int32(count)
        bytes += text[range]
        ends.append(bytes.count)
        return count - 1
    }

    private static func slotCount(for capacity: Int) -> Int {
        var slots = 16
        while slots < capacity * 2 { slots *= 2 }
        return slots
    }

    private mutating func grow() {
        slots = Array(repeating: -1, count: slots.count * 2)
        for index in 0..<count { slots[slot(of: bytes, range(index))] = Int32(index) }
    }

    /// The slot that holds `text[range]`, or the empty one where it belongs.
    private func slot(of text: [UInt8], _ range: Range<Int>) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in range { hash = (hash ^ UInt64(text[index])) &* 0x100_0000_01B3 }
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash ^ hash >> 32) & mask
        while slots[slot] >= 0, !holds(Int(slots[slot]), text, range) { slot = (slot + 1) & mask }
        return slot
    }

    private func holds(_ index: Int, _ text: [UInt8], _ range: Range<Int>) -> Bool {
        let own = self.range(index)
        guard own.count == range.count else { return false }
        for offset in 0..<own.count
        where bytes[own.lowerBound + offset] != text[range.lowerBound + offset] { return false }
        return true
    }
}

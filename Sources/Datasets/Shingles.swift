/// The pieces of a text by which its resemblance to another is measured (Broder, "On the resemblance
/// and containment of documents", 1997).
///
/// They are all runs of `width` bytes of the normal text. Bytes rather than words, since the texts of
/// one task are often short and one edited word must not take most shingles along, and since not all
/// languages put blanks between words. Resemblance is the share of shingles that two texts have in
/// common, of all that either has (Jaccard).
public struct Shingles: Sendable {
    /// In bytes: Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.2.2, take 5
    /// characters for short texts.
    public static let width = 5

    /// In order of the text, repeats too; each holds its bytes, so that different ones never collide.
    public private(set) var all: [UInt64]

    /// The shingles of `text`; a text shorter than one is one.
    public init(of text: NormalText) {
        let bytes = text.bytes
        var packed: UInt64 = 0
        guard bytes.count >= Self.width else {
            for byte in bytes { packed = packed << 8 | UInt64(byte) }
            // Beyond what five bytes can be.
            all = bytes.isEmpty ? [] : [packed | 1 << 48]
            return
        }
        all = []
        all.reserveCapacity(bytes.count - Self.width + 1)
        for (index, byte) in bytes.enumerated() {
            packed = (packed << 8 | UInt64(byte)) & 0xFF_FFFF_FFFF
            if index >= Self.width - 1 { all.append(packed) }
        }
    }

    /// Ascending, without repeats.
    private var distinct: [UInt64] {
        var distinct = all.sorted()
        var kept = 0
        for shingle in distinct where kept == 0 || distinct[kept - 1] != shingle {
            distinct[kept] = shingle
            kept += 1
        }
        distinct.removeLast(distinct.count - kept)
        return distinct
    }

    /// The share of shingles in common, from 0 to 1; 0 where neither has any.
    public func resemblance(to other: Shingles) -> Double {
        let (a, b) = (distinct, other.distinct)
        var (shared, i, j) = (0, 0, 0)
        while i < a.count, j < b.count {
            let (x, y) = (a[i], b[j])
            if x == y { shared += 1 }
            if x <= y { i += 1 }
            if y <= x { j += 1 }
        }
        let either = a.count + b.count - shared
        return either == 0 ? 0 : Double(shared) / Double(either)
    }

    /// Takes out what is in `common`.
    mutating func subtract(_ common: Set<UInt64>) {
        if !common.isEmpty { all.removeAll { common.contains($0) } }
    }
}

extension Shingles {
    /// What more than half of the texts have: a prompt's wording that all rows share, which says
    /// nothing of any.
    ///
    /// Found in at most `sampleMax` texts, evenly taken from all. Of few texts, nothing is common.
    public static func common(to texts: some Collection<NormalText>) -> Set<UInt64> {
        guard texts.count >= textsMin else { return [] }
        let step = (texts.count + sampleMax - 1) / sampleMax
        var counts: [UInt64: Int] = [:]
        var taken = 0
        for (index, text) in texts.enumerated() where index.isMultiple(of: step) {
            for shingle in Shingles(of: text).distinct { counts[shingle, default: 0] += 1 }
            taken += 1
        }
        return Set(counts.lazy.filter { $0.value * 2 > taken }.map(\.key))
    }

    private static let sampleMax = 512
    private static let textsMin = 20
}

/// A text on its way to the model, and where in the original each of its bytes comes from.
struct AlignedText: Sendable {
    private(set) var bytes: [UInt8] = []
    /// For each byte, the UTF-8 range of the original that it stands for; empty where it was put in.
    ///
    /// Starts and ends never fall from one byte to the next, so tokens cover the original in order.
    private(set) var origins: [Range<Int>] = []

    /// `text[range]`, unchanged.
    init(_ text: [UInt8], _ range: Range<Int>) {
        bytes = Array(text[range])
        origins = range.map { $0..<$0 + 1 }
    }

    init(capacity: Int) {
        bytes.reserveCapacity(capacity)
        origins.reserveCapacity(capacity)
    }

    var isEmpty: Bool { bytes.isEmpty }

    /// The range of the original that `range` of the bytes stands for.
    func origin(of range: Range<Int>) -> Range<Int> {
        guard let first = range.first, let last = range.last else { return 0..<0 }
        return origins[first].lowerBound..<origins[last].upperBound
    }

    /// Appends `range` of `text`, as it is.
    mutating func append(_ text: AlignedText, _ range: Range<Int>) {
        bytes += text.bytes[range]
        origins += text.origins[range]
    }

    /// Appends `written`, which stands for `origin` as a whole.
    mutating func append(_ written: some Sequence<UInt8>, for origin: Range<Int>) {
        for byte in written {
            bytes.append(byte)
            origins.append(origin)
        }
    }

    /// The part of it that is `range`.
    func slice(_ range: Range<Int>) -> AlignedText {
        var slice = AlignedText(capacity: range.count)
        slice.append(self, range)
        return slice
    }

    /// Puts `written` before the text; it stands for nothing of the original.
    func prepending(_ written: [UInt8]) -> AlignedText {
        guard let start = origins.first?.lowerBound else { return self }
        var text = AlignedText(capacity: bytes.count + written.count)
        text.append(written, for: start..<start)
        text.append(self, bytes.indices)
        return text
    }

    /// Every `character` written as `replacement`.
    func replacing(_ character: UInt8, by replacement: [UInt8]) -> AlignedText {
        var text = AlignedText(capacity: bytes.count + bytes.count / 2)
        for index in bytes.indices {
            if bytes[index] == character {
                text.append(replacement, for: origins[index])
            } else {
                text.bytes.append(bytes[index])
                text.origins.append(origins[index])
            }
        }
        return text
    }

    /// Every character by what `mapping` makes of it; nil keeps it.
    func mapping(_ mapping: (Unicode.Scalar) -> String?) -> AlignedText {
        var text = AlignedText(capacity: bytes.count)
        var index = 0
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            let range = index..<index + UTF8.width(scalar)
            if let written = mapping(scalar) {
                text.append(written.utf8, for: origin(of: range))
            } else {
                text.append(self, range)
            }
            index = range.upperBound
        }
        return text
    }
}

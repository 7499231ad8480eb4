/// What is done to the tokens of a text in the end, as `post_processor` of a `tokenizer.json` says.
struct PostProcessor: Sendable, Equatable {
    /// Tokens before and after those of a text, such as the one that begins it.
    var before: [Int32] = []
    var after: [Int32] = []
    /// Whether ranges of tokens leave blanks out; of the first, all but one where one `isAdded`.
    var trimsBlanks = false
    var isBlankAdded = false

    /// The encoding of `text` with the tokens added and the blanks trimmed.
    func process(_ encoding: Tokenizer.Encoding, of text: [UInt8]) -> Tokenizer.Encoding {
        var offsets = encoding.offsets
        if trimsBlanks {
            for index in offsets.indices { offsets[index] = trimmed(offsets[index], text, index) }
        }
        let (start, end) = (0..<0, text.count..<text.count)
        return Tokenizer.Encoding(
            ids: before + encoding.ids + after,
            offsets: before.map { _ in start } + offsets + after.map { _ in end })
    }

    private func trimmed(_ range: Range<Int>, _ text: [UInt8], _ index: Int) -> Range<Int> {
        let blank = UInt8(ascii: " ")
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, text[start] == blank { start += 1 }
        if isBlankAdded, start > range.lowerBound, index == 0 || range.lowerBound == 0 {
            start -= 1
        }
        while end > start, text[end - 1] == blank { end -= 1 }
        return start..<end
    }
}

package import Tokenizers

/// The text of an answer as its tokens come, up to the first stop text.
///
/// Of several stop texts, that one ends the answer which would be complete first if characters came one
/// by one, the longest among equals: so the cut does not depend on how tokens divide the text.
package struct AnswerText {
    private var decoder: StreamingDecoder
    private let stops: [[UInt8]]
    private var text: [UInt8] = []
    /// How much of `text` was given out.
    private var given = 0
    package private(set) var isStopped = false

    package init(_ tokenizer: Tokenizer, stops: [String]) {
        decoder = StreamingDecoder(tokenizer)
        // The longest first: of two that end at one place, it began earlier.
        self.stops = stops.map { Array($0.utf8) }.sorted { $0.count > $1.count }
    }

    /// All that is certain to be in the answer, and ends between characters.
    package var string: String { String(decoding: text, as: UTF8.self) }

    /// Takes in a token's text; the text that is now certain, which may be none.
    package mutating func append(_ token: Int32) -> String {
        if isStopped { return "" }
        take(decoder.append(token))
        return isStopped ? release(text.count) : release(text.count - unsettled)
    }

    /// The rest, once no token follows.
    package mutating func finish() -> String {
        if !isStopped { take(decoder.finish()) }
        return release(text.count)
    }

    private mutating func take(_ piece: String) {
        for byte in piece.utf8 {
            text.append(byte)
            guard let stop = stops.first(where: { text.ends(with: $0) }) else { continue }
            text.removeLast(stop.count)
            isStopped = true
            return
        }
    }

    private mutating func release(_ end: Int) -> String {
        guard end > given else { return "" }
        defer { given = end }
        return String(decoding: text[given..<end], as: UTF8.self)
    }

    /// How many bytes at the end may be the beginning of a stop text.
    private var unsettled: Int {
        stops.map { stop in
            (1..<max(stop.count, 1)).last { text.ends(with: stop.prefix($0)) } ?? 0
        }.max() ?? 0
    }
}

extension [UInt8] {
    fileprivate func ends(with other: some BidirectionalCollection<UInt8>) -> Bool {
        count >= other.count && suffix(other.count).elementsEqual(other)
    }
}

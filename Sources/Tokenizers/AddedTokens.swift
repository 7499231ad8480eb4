/// Tokens that are found in a text before anything else is done to it.
struct AddedTokens: Sendable {
    struct Token: Sendable, Equatable {
        var id: Int32
        var content: String
        /// Marks structure rather than text: left out when decoding, and not parsed from what people
        /// typed.
        var isSpecial = true
        /// Takes along the blanks before it, or after it.
        var stripsLeft = false
        var stripsRight = false
        /// Matches only where no word goes on at either side.
        var isWord = false
        /// Is looked for, normalized, in normalized text, after those that are not.
        var isNormalized = false
    }

    let tokens: [Token]
    /// What is looked for of each, and what decoding gives: its content, normalized or not.
    let contents: [[UInt8]]
    /// By content.
    let ids: [String: Int32]
    private let first: Trie
    private let second: Trie

    init(_ tokens: [Token], normalizer: Normalizer? = nil) {
        self.tokens = tokens
        ids = Dictionary(tokens.map { ($0.content, $0.id) }) { first, _ in first }
        contents = tokens.map { token in
            let content = Array(token.content.utf8)
            guard token.isNormalized, let normalizer else { return content }
            return normalizer.normalize(AlignedText(content, content.indices), continues: false)
                .bytes
        }
        first = Trie(tokens.indices.filter { !tokens[$0].isNormalized }, of: contents)
        second = Trie(tokens.indices.filter { tokens[$0].isNormalized }, of: contents)
    }

    /// Gives `body` the sections of `range` in order: each a token's, with its id, or text that is yet
    /// to be normalized.
    func forEachSection(
        of text: [UInt8], in range: Range<Int>, parsingSpecial: Bool,
        _ body: (Range<Int>, Int32?) -> Void
    ) {
        forEachMatch(first, text, range, parsingSpecial, body)
    }

    /// The same of normalized text, for the tokens that are looked for there.
    func forEachNormalizedSection(
        of text: [UInt8], in range: Range<Int>, parsingSpecial: Bool,
        _ body: (Range<Int>, Int32?) -> Void
    ) {
        forEachMatch(second, text, range, parsingSpecial, body)
    }

    private func forEachMatch(
        _ trie: Trie, _ text: [UInt8], _ range: Range<Int>, _ parsingSpecial: Bool,
        _ body: (Range<Int>, Int32?) -> Void
    ) {
        var (done, index) = (range.lowerBound, range.lowerBound)
        while !trie.isEmpty, index < range.upperBound {
            guard let match = trie.longest(in: text, index..<range.upperBound) else {
                index += 1
                continue
            }
            let token = tokens[match.token]
            var section = index..<match.end
            index = match.end
            if token.isSpecial, !parsingSpecial { continue }
            if token.isWord, Words.touches(section, of: text, in: range) { continue }
            let left = token.stripsLeft ? Words.blanks(before: section, of: text, from: done) : 0
            let right =
                token.stripsRight ? Words.blanks(after: section, of: text, to: range.upperBound) : 0
            section = max(section.lowerBound - left, done)..<section.upperBound + right
            if done < section.lowerBound { body(done..<section.lowerBound, nil) }
            body(section, token.id)
            done = section.upperBound
            index = max(index, done)
        }
        if done < range.upperBound { body(done..<range.upperBound, nil) }
    }
}

/// Contents of tokens, byte by byte.
private struct Trie: Sendable {
    private struct Node: Sendable {
        var next: [UInt8: Int] = [:]
        var token: Int?
    }

    private var nodes = [Node()]
    /// Whether some token begins with this byte.
    private var begins = [Bool](repeating: false, count: 256)

    init(_ indices: [Int], of contents: [[UInt8]]) {
        for index in indices {
            var node = 0
            for byte in contents[index] {
                if node == 0 { begins[Int(byte)] = true }
                if let next = nodes[node].next[byte] {
                    node = next
                } else {
                    nodes[node].next[byte] = nodes.count
                    node = nodes.count
                    nodes.append(Node())
                }
            }
            if node != 0, nodes[node].token == nil { nodes[node].token = index }
        }
    }

    var isEmpty: Bool { nodes.count == 1 }

    /// The longest token that begins where `range` does.
    func longest(in text: [UInt8], _ range: Range<Int>) -> (token: Int, end: Int)? {
        guard begins[Int(text[range.lowerBound])] else { return nil }
        var best: (token: Int, end: Int)?
        var node = 0
        for index in range {
            guard let next = nodes[node].next[text[index]] else { break }
            node = next
            if let token = nodes[node].token { best = (token, index + 1) }
        }
        return best
    }
}

/// What stands beside a token.
private enum Words {
    /// The character that ends at `end`.
    private static func last(_ text: [UInt8], _ start: Int, _ end: Int) -> Unicode.Scalar? {
        var first = end
        while first > start {
            first -= 1
            if text[first] & 0xC0 != 0x80 { break }
        }
        return String(decoding: text[first..<end], as: UTF8.self).unicodeScalars.last
    }

    /// The character that begins at `start`.
    private static func first(_ text: [UInt8], _ start: Int, _ end: Int) -> Unicode.Scalar? {
        String(decoding: text[start..<min(start + 4, end)], as: UTF8.self).unicodeScalars.first
    }

    static func blanks(before section: Range<Int>, of text: [UInt8], from start: Int) -> Int {
        var index = section.lowerBound
        while let scalar = last(text, start, index), scalar.properties.isWhitespace {
            index -= UTF8.width(scalar)
        }
        return section.lowerBound - index
    }

    static func blanks(after section: Range<Int>, of text: [UInt8], to end: Int) -> Int {
        var index = section.upperBound
        while let scalar = first(text, index, end), scalar.properties.isWhitespace {
            index += UTF8.width(scalar)
        }
        return index - section.upperBound
    }

    /// Whether a letter, mark, digit or underscore (`\w`) stands directly before or after `section`.
    static func touches(_ section: Range<Int>, of text: [UInt8], in range: Range<Int>) -> Bool {
        let before = last(text, range.lowerBound, section.lowerBound)
        let after = first(text, section.upperBound, range.upperBound)
        return [before, after].contains { $0.map(isWord) ?? false }
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        CharacterSet.Item.word.holds(scalar.value) || scalar.properties.isJoinControl
    }
}

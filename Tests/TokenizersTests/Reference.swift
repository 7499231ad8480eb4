import FlywheelCore
import Foundation
import Tokenizers

/// Numbers that look random and are the same in every run (SplitMix64).
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// Characters that tokenizers treat in different ways, and others.
    private static let pool =
        "abcXYZ 019'\n\r\t.,!?-_<>|{}()".unicodeScalars.map { String($0) } + [
            "'s", "'S", "'ll", "'RE", "'\u{17F}", "é", "e\u{301}", "ß", "中", "文", "한국", "🎉", "👨‍👩‍👧",
            "\u{A0}", "\u{3000}", "\u{2028}", "\u{85}", "\u{200B}", "Ⅷ", "²", "½", "٣", "क", "ि",
            "<|im_end|>", "\0", "\u{B}", "\u{C}", "    ", "\n\n", "\r\n", " \n ", "\u{FEFF}", "𝐀",
            "ǅ", "ʰ", "\u{345}", "𝟘",
        ]

    mutating func text() -> String {
        (0..<Int.random(in: 0..<50, using: &self)).map { _ in
            Self.pool[Int.random(in: 0..<Self.pool.count, using: &self)]
        }.joined()
    }
}

/// What a `tokenizer.json` means, in the plainest way: the regular expressions themselves, and
/// merges one at a time.
struct ReferenceTokenizer {
    private let expression: NSRegularExpression
    private let ids: [String: Int32]
    private let ranks: [[String]: Int]

    /// GPT-4's expression, with `\s` written as what it means in the reference implementation.
    static let gpt4 =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*"#
        + #"|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+"#
    static let gpt2 =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+"#
        + #"|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+"#

    init(_ json: [UInt8], expression: String) throws {
        self.expression = try NSRegularExpression(pattern: expression)
        let model = try JSONValue(parsing: json)["model"]
        ids = (model?["vocab"]?.object ?? [:]).mapValues { Int32($0.integer ?? -1) }
        let merges = (model?["merges"]?.array ?? []).map { merge in
            merge.array?.map { $0.string ?? "" }
                ?? (merge.string ?? "").split(separator: " ").map(String.init)
        }
        ranks = Dictionary(uniqueKeysWithValues: merges.enumerated().map { ($1, $0) })
    }

    func encode(_ text: String) -> [Int32] {
        ReferenceWords.words(text, expression).flatMap(merge)
    }

    private func merge(_ word: String) -> [Int32] {
        var parts = word.utf8.map { String(Character(Self.letter($0))) }
        while true {
            let found = parts.indices.dropLast().compactMap { index in
                ranks[[parts[index], parts[index + 1]]].map { (rank: $0, index: index) }
            }
            guard let best = found.min(by: { $0 < $1 }) else { break }
            let right = parts.remove(at: best.index + 1)
            parts[best.index] += right
        }
        return parts.map { ids[$0] ?? -1 }
    }

    static func letter(_ byte: UInt8) -> Unicode.Scalar {
        let isShown = { (byte: UInt8) in
            0x21...0x7E ~= byte || 0xA1...0xAC ~= byte || 0xAE...0xFF ~= byte
        }
        if isShown(byte) { return Unicode.Scalar(byte) }
        return Unicode.Scalar(UInt32(256 + (0..<byte).count { !isShown($0) })) ?? "?"
    }
}

/// The words of a text by an expression.
enum ReferenceWords {
    static func words(_ text: String, _ expression: NSRegularExpression) -> [String] {
        let units = Array(text.utf16)
        let whole = NSRange(location: 0, length: units.count)
        return expression.matches(in: text, range: whole).map { match in
            let range = match.range.location..<match.range.location + match.range.length
            return String(decoding: units[range], as: UTF16.self)
        }
    }
}

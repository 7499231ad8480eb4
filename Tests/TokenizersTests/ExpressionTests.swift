import FlywheelCore
import Foundation
import Testing
import Tokenizers

/// Expressions matched step by step, against rules written by hand for the same, and against ICU.
@Suite struct Expressions {
    /// The tokenizer of the corpus, cut by `expression`.
    private func tokenizer(_ expression: String) throws -> Tokenizer {
        let text = JSONValue.string(expression).canonical
        return try Tokenizer(
            parsing: TokenizerJSON(Corpus.tokenizer.json).replacing(
                "pre_tokenizer",
                by: UnusableTokenizer.sequence(
                    #"{"type": "Split", "pattern": {"Regex": \#(text)}, "behavior": "Isolated"}, "#
                        + #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}"#)
            ).bytes)
    }

    @Test func `GPT-4's expression, matched step by step, cuts as the rule for it does`() throws {
        let written =
            #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"#
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        // A group around it makes it one that no rule is written for.
        let matched = try tokenizer("(?:\(written))")
        for text in Encoding.texts + Corpus.documents {
            #expect(
                matched.encode(text, parsingSpecial: false)
                    == Corpus.tokenizer.encode(text, parsingSpecial: false),
                "seed 20261: \(text.debugDescription)")
        }
    }

    @Test(arguments: [
        #"[ab]+?b|x{2,3}|(?:ab|a)(?=b)|\p{Lu}\p{Ll}*"#, #"(?>a+)b|[^\p{L}\d]+$|^."#,
        #"(?<!a)b+|\bX|[[:digit:]]+|[a-c&&[^b]]+|\u00e9|\x{4E2D}"#, #"\p{^L}+|(?:ab){1,2}+|Z??Y"#,
        #"(?<=\n)\s+|.*?[!?]|(?i:yZ|k)+|\A\W|\S\z"#,
    ])
    func `expressions match as ICU's do`(_ expression: String) throws {
        // In Ruby's syntax `^` and `$` are of lines, and `{1,2}+` repeats what is repeated.
        let icu = expression.replacing("(?:ab){1,2}+", with: "(?:(?:ab){1,2})+")
            .replacing(#"\p{^L}"#, with: #"\P{L}"#)
        let reference = try NSRegularExpression(pattern: icu, options: [.anchorsMatchLines])
        let tokenizer = try tokenizer(expression)
        var random = Seeded(state: 12)
        let letters = Array("aabbcxxXYZyzKk012 \n.!?é中").map { String($0) }
        for _ in 0..<400 {
            let text = (0..<20).map { _ in letters.randomElement(using: &random)! }.joined()
            let cuts = Self.cuts(text, reference)
            // Every cut of the expression is one of the tokens'.
            let ends = Set(tokenizer.encode(text, parsingSpecial: false).offsets.map(\.upperBound))
            #expect(cuts.isSubset(of: ends), "seed 12: \(text.debugDescription)")
        }
    }

    /// Where matches begin and end, in UTF-8.
    private static func cuts(_ text: String, _ expression: NSRegularExpression) -> Set<Int> {
        let units = Array(text.utf16)
        var cuts: Set<Int> = []
        for match in expression.matches(in: text, range: NSRange(location: 0, length: units.count))
        where match.range.length > 0 {
            for end in [match.range.location, match.range.location + match.range.length]
            where end > 0 {
                cuts.insert(String(decoding: units[..<end], as: UTF16.self).utf8.count)
            }
        }
        return cuts
    }
}

/// Finds where pieces of a text end, as the regular expressions of well-known tokenizers do.
///
/// Each rule is the transcription of one expression, alternatives in their order; where an
/// alternative backtracks, the comment says to where.
struct Scanner {
    let text: [UInt8]
    /// `CharacterClass.basicPlane`, held to save its initialization check per character.
    private let classes = CharacterClass.basicPlane

    init(_ text: [UInt8]) { self.text = text }

    /// The class of the character at `index`, and the index after it.
    func character(at index: Int) -> (kind: CharacterClass, end: Int) {
        let (code, end) = code(at: index)
        if code < 0x10000 { return (classes[Int(code)], end) }
        return (Unicode.Scalar(code).map { CharacterClass($0) } ?? .other, end)
    }

    /// The character at `index`, as its number, and the index after it.
    func code(at index: Int) -> (code: UInt32, end: Int) {
        let lead = text[index]
        if lead < 0x80 { return (UInt32(lead), index + 1) }
        let code = UInt32(lead)
        if lead < 0xE0 { return ((code & 0x1F) << 6 | tail(index + 1), index + 2) }
        if lead < 0xF0 {
            return ((code & 0x0F) << 12 | tail(index + 1) << 6 | tail(index + 2), index + 3)
        }
        return (
            (code & 0x07) << 18 | tail(index + 1) << 12 | tail(index + 2) << 6 | tail(index + 3),
            index + 4
        )
    }

    private func tail(_ index: Int) -> UInt32 { UInt32(text[index] & 0x3F) }

    /// The end of the run of characters of `kind` from `index` on.
    private func run(of kind: CharacterClass, from index: Int, to end: Int) -> Int {
        var index = index
        while index < end {
            let (found, next) = character(at: index)
            guard found == kind else { break }
            index = next
        }
        return index
    }

    /// `\s*[\r\n]+` where `endsLines`, then `\s+(?!\S)`, then `\s+`, from a space at `start`.
    private func spaces(from start: Int, to end: Int, endsLines: Bool) -> Int {
        var (index, last, lineEnd) = (start, start, start)
        while index < end {
            let (kind, next) = character(at: index)
            guard kind.isSpace else { break }
            last = index
            index = next
            if kind == .newline { lineEnd = next }
        }
        // \s* gives back as much as the last newline needs.
        if endsLines, lineEnd > start { return lineEnd }
        // \s+(?!\S) gives back one character, so that it may lead the next word.
        return index == end || last == start ? index : last
    }

    /// `'s|'t|'re|'ve|'m|'ll|'d` at an apostrophe; letters of either case where `ignoresCase`.
    private func contraction(at start: Int, to end: Int, ignoresCase: Bool) -> Int? {
        func letter(_ index: Int) -> UInt8 {
            guard index < end else { return 0 }
            return ignoresCase && 0x41...0x5A ~= text[index] ? text[index] | 0x20 : text[index]
        }
        let (first, second) = (letter(start + 1), letter(start + 2))
        switch (first, second) {
        case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _),
            (UInt8(ascii: "d"), _):
            return start + 2
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return start + 3
        // U+017F, the long s, is an s where case is ignored.
        case (0xC5, 0xBF) where ignoresCase: return start + 3
        default: return nil
        }
    }
}

extension Scanner {
    /// Where the piece ends that begins at `start`, for GPT-2.
    ///
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    func gpt2End(from start: Int, to end: Int) -> Int {
        if text[start] == UInt8(ascii: "'"),
            let end = contraction(at: start, to: end, ignoresCase: false)
        {
            return end
        }
        var (kind, next) = character(at: start)
        if text[start] == UInt8(ascii: " "), next < end {
            let (following, after) = character(at: next)
            if !following.isSpace { (kind, next) = (following, after) }
        }
        if kind.isSpace { return spaces(from: start, to: end, endsLines: false) }
        return run(of: kind, from: next, to: end)
    }

    /// Where the piece ends that begins at `start`, for GPT-4 (`cl100k_base`), Llama 3 and Qwen.
    ///
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|`
    /// ` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`; of Qwen's numbers `digitsMax` is 1.
    func gpt4End(from start: Int, to end: Int, digitsMax: Int) -> Int {
        if text[start] == UInt8(ascii: "'"),
            let end = contraction(at: start, to: end, ignoresCase: true)
        {
            return end
        }
        let (kind, next) = character(at: start)
        if kind == .letter { return run(of: .letter, from: next, to: end) }
        if kind == .number {
            var index = next
            for _ in 1..<max(digitsMax, 1) where index < end {
                let (following, after) = character(at: index)
                guard following == .number else { break }
                index = after
            }
            return index
        }
        let following = next < end ? character(at: next).kind : .newline
        if kind != .newline, following == .letter { return run(of: .letter, from: next, to: end) }
        let isLed = text[start] == UInt8(ascii: " ") && next < end && following == .other
        if kind == .other || isLed {
            let symbols = run(of: .other, from: next, to: end)
            return run(of: .newline, from: symbols, to: end)
        }
        return spaces(from: start, to: end, endsLines: true)
    }

    /// Digits apart from the rest: each one alone, or in runs.
    func digitsEnd(from start: Int, to end: Int, isIndividual: Bool) -> Int {
        let (kind, next) = character(at: start)
        if kind == .number {
            return isIndividual ? next : run(of: .number, from: next, to: end)
        }
        var index = next
        while index < end {
            let (kind, next) = character(at: index)
            guard kind != .number else { break }
            index = next
        }
        return index
    }
}

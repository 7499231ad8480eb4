/// The classes of character that pre-tokenization tells apart.
enum CharacterClass: UInt8, Sendable {
    /// Not any of the others: punctuation, symbols, marks, controls.
    case other
    /// `\p{L}`
    case letter
    /// `\p{N}`
    case number
    /// `\s`, but for the two below.
    case blank
    /// Carriage return and line feed.
    case newline

    init(_ scalar: Unicode.Scalar) {
        let category = Categories(scalar)
        if Categories.letter.contains(category) {
            self = .letter
        } else if Categories.number.contains(category) {
            self = .number
        } else {
            let isNewline = scalar == "\r" || scalar == "\n"
            self = isNewline ? .newline : scalar.properties.isWhitespace ? .blank : .other
        }
    }

    var isSpace: Bool { self == .blank || self == .newline }

    /// The classes of the basic plane's characters, by code point; the rest is looked up when met.
    static let basicPlane: [CharacterClass] = (0..<0x10000).map { code in
        Unicode.Scalar(UInt32(code)).map { CharacterClass($0) } ?? .other
    }
}

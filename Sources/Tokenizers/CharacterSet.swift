/// A set of characters, as a class of a regular expression writes it.
struct CharacterSet: Sendable {
    indirect enum Item: Sendable {
        case range(ClosedRange<UInt32>)
        case categories(Categories)
        /// `\s`: White_Space.
        case blank
        /// `\w`: letters, marks, decimal digits, connectors (UTS #18, as Oniguruma has it).
        case word
        /// Characters that came with this version of Unicode or before.
        case known(version: Int)
        case not(Item)
        case any([Item])
        case all([Item])
        /// What holds a character of the same letter in the other case.
        case ignoringCase(Item)
    }

    let item: Item
    /// Whether each character of the basic plane belongs to it; the others are computed when met.
    private let basicPlane: [UInt64]

    init(_ item: Item) {
        self.item = item
        var bits = [UInt64](repeating: 0, count: 1024)
        for code in UInt32(0)..<0x10000 where item.holds(code) {
            bits[Int(code >> 6)] |= 1 << UInt64(code & 63)
        }
        basicPlane = bits
    }

    func holds(_ code: UInt32) -> Bool {
        code < 0x10000 ? basicPlane[Int(code >> 6)] >> UInt64(code & 63) & 1 == 1 : item.holds(code)
    }
}

extension CharacterSet.Item {
    static func character(_ code: UInt32) -> Self { .range(code...code) }

    func holds(_ code: UInt32) -> Bool {
        switch self {
        case .range(let range): range.contains(code)
        case .categories(let categories): categories.contains(Categories(ofCode: code))
        case .blank: Unicode.Scalar(code)?.properties.isWhitespace ?? false
        case .word:
            Unicode.Scalar(code).map { scalar in
                let category = Categories(scalar)
                return Categories.word.contains(category)
                    || scalar.properties.isAlphabetic && category != .none
            } ?? false
        case .known(let version):
            (Unicode.Scalar(code)?.properties.age?.major).map { $0 <= version } ?? false
        case .not(let item): !item.holds(code)
        case .any(let items): items.contains { $0.holds(code) }
        case .all(let items): items.allSatisfy { $0.holds(code) }
        case .ignoringCase(let item):
            item.holds(code) || Self.otherCases(of: code).contains { item.holds($0) }
        }
    }

    private static func otherCases(of code: UInt32) -> [UInt32] {
        func single(_ text: String) -> Unicode.Scalar? {
            text.unicodeScalars.count == 1 ? text.unicodeScalars.first : nil
        }
        guard let scalar = Unicode.Scalar(code), scalar.properties.isCased else { return [] }
        let upper = single(scalar.properties.uppercaseMapping)
        let lower = single(scalar.properties.lowercaseMapping)
        let folded = upper.flatMap { single($0.properties.lowercaseMapping) }
        return [upper, lower, folded].compactMap { $0?.value }
    }
}

/// General categories of characters: none, one or several.
struct Categories: OptionSet, Sendable {
    let rawValue: UInt32

    /// Characters that came after this version of Unicode have no category.
    ///
    /// It is the version of the reference implementation, the `tokenizers` library from 0.22 on.
    private static let unicodeMax = 16

    private static let names = [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
    ]
    private static let longNames = [
        "letter": "L", "mark": "M", "number": "N", "punctuation": "P", "punct": "P", "symbol": "S",
        "separator": "Z", "other": "C", "digit": "Nd",
    ]

    static let letter = named("L") ?? []
    static let number = named("N") ?? []
    static let mark = named("M") ?? []
    static let punctuation = named("P") ?? []
    static let word: Categories = ["M", "Nd", "Pc"].reduce(into: []) { categories, name in
        categories.formUnion(named(name) ?? [])
    }

    /// The category, or all that begin with the letter, of `\p{name}`; nil where there is none.
    static func named(_ name: String) -> Categories? {
        let short = longNames[name.lowercased()] ?? name
        let found = names.indices.filter { names[$0] == short || names[$0].prefix(1) == short }
        return found.isEmpty ? nil : Categories(rawValue: found.reduce(0) { $0 | 1 << UInt32($1) })
    }

    init(rawValue: UInt32) { self.rawValue = rawValue }

    /// That of the character `code`; surrogates, which no text has, are none.
    init(ofCode code: UInt32) {
        self = Unicode.Scalar(code).map { Categories($0) } ?? []
    }

    init(_ scalar: Unicode.Scalar) {
        let properties = scalar.properties
        let index = Self.index(properties.generalCategory)
        let isNew = scalar.value > 0x400 && (properties.age?.major ?? 0) > Self.unicodeMax
        self.init(rawValue: 1 << (isNew ? Self.unassigned : index))
    }

    private static let unassigned: UInt32 = 29
    /// Of code points that are no characters yet.
    static let none = Categories(rawValue: 1 << unassigned)

    private static func index(_ category: Unicode.GeneralCategory) -> UInt32 {
        switch category {
        case .uppercaseLetter: 0
        case .lowercaseLetter: 1
        case .titlecaseLetter: 2
        case .modifierLetter: 3
        case .otherLetter: 4
        case .nonspacingMark: 5
        case .spacingMark: 6
        case .enclosingMark: 7
        case .decimalNumber: 8
        case .letterNumber: 9
        case .otherNumber: 10
        case .connectorPunctuation: 11
        case .dashPunctuation: 12
        case .openPunctuation: 13
        case .closePunctuation: 14
        case .initialPunctuation: 15
        case .finalPunctuation: 16
        case .otherPunctuation: 17
        case .mathSymbol: 18
        case .currencySymbol: 19
        case .modifierSymbol: 20
        case .otherSymbol: 21
        case .spaceSeparator: 22
        case .lineSeparator: 23
        case .paragraphSeparator: 24
        case .control: 25
        case .format: 26
        case .surrogate: 27
        case .privateUse: 28
        case .unassigned: unassigned
        @unknown default: unassigned
        }
    }
}

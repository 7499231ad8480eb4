import FlywheelCore

/// What can be taken out of texts before they are kept.
public enum PersonalDatum: String, CaseIterable, Sendable, Codable {
    case email, iban, card, phone

    /// In a placeholder: `[EMAIL_1]`.
    var word: String { rawValue.uppercased() }
}

/// Puts placeholders in the place of personal data, the same one for the same datum throughout one
/// capture.
///
/// `[EMAIL_1]`, for example; what was there is not kept anywhere.
/// A datum counts as the same however it is written: case, blanks and hyphens do not matter.
public struct Redactor: Sendable {
    private let kinds: [PersonalDatum]
    private var placeholders: [PersonalDatum: [String: Int]] = [:]
    private var lastNumbers: [PersonalDatum: Int] = [:]
    /// How often each kind was taken out.
    public private(set) var counts: [PersonalDatum: Int] = [:]

    public init(_ kinds: Set<PersonalDatum>) {
        self.kinds = PersonalDatum.allCases.filter(kinds.contains)
    }

    public var isIdle: Bool { kinds.isEmpty }

    /// `text` with placeholders; nil where there was nothing to take out.
    public mutating func redact(_ text: String) -> String? {
        guard !kinds.isEmpty, Self.mayHoldAny(text) else { return nil }
        let bytes = Array(text.utf8)
        var found: [(range: Range<Int>, kind: PersonalDatum, datum: String)] = []
        for kind in kinds {
            for (range, datum) in kind.occurrences(in: bytes)
            where !found.contains(where: { $0.range.overlaps(range) }) {
                found.append((range, kind, datum))
            }
        }
        guard !found.isEmpty else { return nil }
        reserveNumbers(in: text)
        var redacted: [UInt8] = []
        var place = 0
        for (range, kind, datum) in found.sorted(by: { $0.range.lowerBound < $1.range.lowerBound })
        {
            redacted += bytes[place..<range.lowerBound]
            redacted += placeholder(for: datum, kind).utf8
            place = range.upperBound
        }
        redacted += bytes[place...]
        return String(decoding: redacted, as: UTF8.self)
    }

    private mutating func placeholder(for datum: String, _ kind: PersonalDatum) -> String {
        counts[kind, default: 0] += 1
        let number: Int
        if let known = placeholders[kind]?[datum] {
            number = known
        } else {
            number = lastNumbers[kind, default: 0] + 1
            lastNumbers[kind] = number
            placeholders[kind, default: [:]][datum] = number
        }
        return "[\(kind.word)_\(number)]"
    }

    /// Placeholders that stand in `text` already, from an application that redacts too, keep their
    /// numbers to themselves.
    public mutating func reserveNumbers(in text: String) {
        guard text.utf8.contains(UInt8(ascii: "[")) else { return }
        for match in text.matches(of: /\[(EMAIL|IBAN|CARD|PHONE)_(\d{1,6})\]/) {
            guard let kind = PersonalDatum(rawValue: match.1.lowercased()),
                let number = Int(match.2)
            else { continue }
            lastNumbers[kind] = max(lastNumbers[kind] ?? 0, number)
        }
    }

    /// Every datum has an @ or seven digits.
    private static func mayHoldAny(_ text: String) -> Bool {
        var digits = 0
        for byte in text.utf8 {
            if byte == UInt8(ascii: "@") { return true }
            if Self.isDigit(byte) {
                digits += 1
                if digits == 7 { return true }
            }
        }
        return false
    }

    static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    /// Letters beyond ASCII count as letters: every byte of them does.
    static func isLetter(_ byte: UInt8) -> Bool {
        byte >= 0x80 || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
    }
}

// MARK: JSON

extension Redactor {
    /// A JSON text with its strings redacted, keys of objects included; all else stays as it was written.
    ///
    /// Numbers that are card numbers become placeholders too. Pictures and sounds, `data:` URLs, are
    /// passed over.
    public mutating func redact(json: [UInt8]) -> [UInt8] {
        guard !kinds.isEmpty else { return json }
        var redacted: [UInt8] = []
        redacted.reserveCapacity(json.count)
        var place = 0
        var copied = 0
        while place < json.count {
            let start = place
            if json[place] == UInt8(ascii: "\"") {
                place = Self.endOfString(json, from: place)
            } else if Self.isDigit(json[place]) {
                while place < json.count, Self.isDigit(json[place]) { place += 1 }
                guard place - start >= 13 else { continue }
            } else {
                place += 1
                continue
            }
            guard let text = Self.text(json, start..<place), let changed = redact(text) else {
                continue
            }
            redacted += json[copied..<start]
            redacted += JSONValue.string(changed).canonical.utf8
            copied = place
        }
        return copied == 0 ? json : redacted + json[copied...]
    }

    /// What a string or a row of digits says; nil for what need not be looked at.
    private static func text(_ json: [UInt8], _ range: Range<Int>) -> String? {
        guard json[range.lowerBound] == UInt8(ascii: "\"") else {
            return String(decoding: json[range], as: UTF8.self)
        }
        guard !json[range].dropFirst().starts(with: "data:".utf8) else { return nil }
        var reader = JSONReader(json, in: range)
        return try? reader.string()
    }

    private static func endOfString(_ json: [UInt8], from opening: Int) -> Int {
        var place = opening + 1
        while place < json.count {
            switch json[place] {
            case UInt8(ascii: "\\"): place += 2
            case UInt8(ascii: "\""): return place + 1
            default: place += 1
            }
        }
        return json.count
    }
}

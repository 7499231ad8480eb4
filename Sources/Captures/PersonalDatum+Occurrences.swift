import FlywheelCore

extension PersonalDatum {
    /// Where this kind stands in a text, in order, with the datum as it is compared.
    func occurrences(in text: [UInt8]) -> [(Range<Int>, String)] {
        switch self {
        case .email: Self.emails(text)
        case .iban: Self.ibans(text)
        case .card: Self.cards(text)
        case .phone: Self.phones(text)
        }
    }

    // MARK: E-mail

    /// An address as people write them: letters of any script, digits and `._%+-`, an @, and a name
    /// of hosts that ends in at least two letters (a subset of RFC 5321's).
    private static func emails(_ text: [UInt8]) -> [(Range<Int>, String)] {
        func isLocal(_ byte: UInt8) -> Bool {
            Redactor.isLetter(byte) || Redactor.isDigit(byte) || "._%+-'".utf8.contains(byte)
        }
        func isHost(_ byte: UInt8) -> Bool {
            Redactor.isLetter(byte) || Redactor.isDigit(byte) || ".-".utf8.contains(byte)
        }
        var found: [(Range<Int>, String)] = []
        for at in text.indices where text[at] == UInt8(ascii: "@") {
            var start = at
            while start > (found.last?.0.upperBound ?? 0), isLocal(text[start - 1]) { start -= 1 }
            while start < at, "'.".utf8.contains(text[start]) { start += 1 }
            var end = at + 1
            while end < text.count, isHost(text[end]) { end += 1 }
            while end > at + 1, ".-".utf8.contains(text[end - 1]) { end -= 1 }
            let labels = text[(at + 1)..<end].split(
                separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            guard start < at, labels.count > 1, !labels.contains(where: \.isEmpty),
                let last = labels.last, last.count >= 2, last.allSatisfy(Redactor.isLetter)
            else { continue }
            found.append(
                (start..<end, String(decoding: text[start..<end], as: UTF8.self).lowercased()))
        }
        return found
    }

    // MARK: IBAN

    /// How many characters an IBAN of each country has (ISO 13616, SWIFT's registry of 2024).
    private static let ibanLengths: [String: Int] = {
        let text = """
            AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 \
            DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 \
            IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 \
            MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 \
            SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
            """
        return Dictionary(
            uniqueKeysWithValues: text.split(separator: " ").map {
                (String($0.prefix(2)), Int($0.dropFirst(2)) ?? 0)
            })
    }()

    private static func ibans(_ text: [UInt8]) -> [(Range<Int>, String)] {
        var found: [(Range<Int>, String)] = []
        var place = 0
        while place + 4 < text.count {
            defer { place += 1 }
            guard Redactor.isLetter(text[place]), text[place] < 0x80,
                Redactor.isLetter(text[place + 1]), Redactor.isDigit(text[place + 2]),
                Redactor.isDigit(text[place + 3]), isBoundary(text, before: place)
            else { continue }
            let country = String(decoding: text[place..<place + 2], as: UTF8.self).uppercased()
            guard let length = ibanLengths[country] else { continue }
            var letters: [UInt8] = []
            var end = place
            while end < text.count, letters.count < length {
                let byte = text[end]
                if Redactor.isDigit(byte) || Redactor.isLetter(byte) && byte < 0x80 {
                    letters.append(Redactor.isLetter(byte) ? byte & 0xDF : byte)
                } else if byte != UInt8(ascii: " ") || text[end - 1] == byte {
                    break
                }
                end += 1
            }
            guard letters.count == length, isBoundary(text, after: end), isIBAN(letters) else {
                continue
            }
            found.append((place..<end, String(decoding: letters, as: UTF8.self)))
            place = end - 1
        }
        return found
    }

    /// ISO 7064: with the first four characters moved to the end, and letters read as 10 to 35, the
    /// number leaves 1 when divided by 97.
    private static func isIBAN(_ letters: [UInt8]) -> Bool {
        (letters[4...] + letters[..<4]).reduce(0) { rest, byte in
            Redactor.isDigit(byte)
                ? (rest * 10 + Int(byte - UInt8(ascii: "0"))) % 97
                : (rest * 100 + Int(byte - UInt8(ascii: "A")) + 10) % 97
        } == 1
    }

    // MARK: Card

    /// As many digits as their network has, in one piece or with single blanks or hyphens between,
    /// whose last digit checks out (ISO/IEC 7812, Luhn's formula).
    private static func cards(_ text: [UInt8]) -> [(Range<Int>, String)] {
        groups(text, separators: " -").compactMap { range, digits in
            guard cardLengths(digits).contains(digits.count), isLuhn(digits) else { return nil }
            return (range, String(decoding: digits, as: UTF8.self))
        }
    }

    /// How many digits a card has that begins so; none for what is no network's.
    private static func cardLengths(_ digits: [UInt8]) -> ClosedRange<Int> {
        switch digits.prefix(2).reduce(0, { $0 * 10 + Int($1 - UInt8(ascii: "0")) }) {
        case 34, 37: 15...15
        case 40...49: 13...19
        case 51...55, 22...27: 16...16
        case 30, 36, 38, 39: 14...19
        case 35, 60, 62, 64, 65: 16...19
        case 50, 56...59, 61, 63, 66...69: 13...19
        default: .max ... .max
        }
    }

    private static func isLuhn(_ digits: [UInt8]) -> Bool {
        digits.reversed().enumerated().reduce(0) { sum, item in
            let digit = Int(item.element - UInt8(ascii: "0"))
            guard !item.offset.isMultiple(of: 2) else { return sum + digit }
            return sum + (digit > 4 ? digit * 2 - 9 : digit * 2)
        }.isMultiple(of: 10)
    }

    // MARK: Helpers

    /// Rows of digits with at most one of `separators` between two, with the digits alone.
    private static func groups(
        _ text: [UInt8], separators: String
    ) -> [(range: Range<Int>, digits: [UInt8])] {
        var found: [(Range<Int>, [UInt8])] = []
        var place = 0
        while place < text.count {
            guard Redactor.isDigit(text[place]), isBoundary(text, before: place) else {
                place += 1
                continue
            }
            var digits: [UInt8] = []
            var end = place
            var next = place
            while next < text.count {
                if Redactor.isDigit(text[next]) {
                    digits.append(text[next])
                    end = next + 1
                } else if !separators.utf8.contains(text[next]) || next != end {
                    break
                }
                next += 1
            }
            if isBoundary(text, after: end) { found.append((place..<end, digits)) }
            place = end
        }
        return found
    }

    static func isBoundary(_ text: [UInt8], before place: Int) -> Bool {
        place == 0 || !isWord(text[place - 1])
    }

    static func isBoundary(_ text: [UInt8], after place: Int) -> Bool {
        place == text.count || !isWord(text[place])
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        Redactor.isLetter(byte) || Redactor.isDigit(byte) || byte == UInt8(ascii: "_")
    }
}

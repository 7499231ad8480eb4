package import Foundation

/// A number as people write it in running text, exactly as they wrote it.
///
/// `-3`, `1,234.50`, `.5`, `6e-3`, `$12`, `-€ 4`, `50 %` (which is 50), `3/4`, `1 1/2`. Commas group
/// thousands only where they stand before three digits each; `1,5` is two numbers. The value has up
/// to 38 digits.
package struct Numeral: Equatable {
    package var numerator: Decimal
    /// 1 for all but fractions.
    package var denominator: Decimal = 1

    package var value: Double {
        NSDecimalNumber(decimal: numerator).doubleValue
            / NSDecimalNumber(decimal: denominator).doubleValue
    }

    /// The numbers of `text` from left to right.
    package static func all(in text: some StringProtocol) -> [Numeral] {
        var reader = NumeralReader(characters: Array(text))
        var all: [Numeral] = []
        while let numeral = reader.next() { all.append(numeral) }
        return all
    }

    /// Whether the two are as near as `absolute` or as `relative` times the larger one.
    package func isClose(to other: Numeral, absolute: Double, relative: Double) -> Bool {
        if numerator * other.denominator == other.numerator * denominator { return true }
        let allowed = max(absolute, relative * max(abs(value), abs(other.value)))
        // Half a unit in the last place of slack, so that a tolerance of 0.1 allows 0.1.
        return allowed > 0 && abs(value - other.value) <= allowed * (1 + 1e-12)
    }
}

private struct NumeralReader {
    let characters: [Character]
    var position = 0

    private func at(_ index: Int) -> Character? {
        characters.indices.contains(index) ? characters[index] : nil
    }

    private func isDigit(_ index: Int) -> Bool {
        at(index).map { ("0"..."9").contains($0) } ?? false
    }

    mutating func next() -> Numeral? {
        while position < characters.count {
            let begins =
                isDigit(position)
                || at(position) == "." && isDigit(position + 1)
                    && !(position > 0 && isDigit(position - 1))
            guard begins else {
                position += 1
                continue
            }
            let isNegative = hasMinus(before: position)
            // The later parts of a date are no fraction.
            let isPart = at(position - 1) == "/" && isDigit(position - 2)
            guard let first = decimal() else { continue }
            var numeral = Numeral(numerator: first)
            if !isPart, let fraction = fraction(of: first) ?? mixed(first) { numeral = fraction }
            if isNegative { numeral.numerator = -numeral.numerator }
            return numeral
        }
        return nil
    }

    /// A minus before the number, or before its currency; a hyphen between words or numbers is none.
    private func hasMinus(before start: Int) -> Bool {
        var index = start - 1
        if at(index) == " ", let sign = at(index - 1), sign.isCurrencySymbol { index -= 1 }
        if let sign = at(index), sign.isCurrencySymbol { index -= 1 }
        guard let minus = at(index), minus == "-" || minus == "\u{2212}" else { return false }
        guard let before = at(index - 1) else { return true }
        return !before.isLetter && !before.isNumber && before != ")"
    }

    /// Digits with groups, a point and an exponent; nil for more digits than a number can have.
    private mutating func decimal() -> Decimal? {
        var text = digits()
        // Groups follow one to three digits.
        let isGroupable = (1...3).contains(text.count)
        while isGroupable, at(position) == ",", !isDigit(position + 4),
            [1, 2, 3].allSatisfy({ isDigit(position + $0) })
        {
            position += 1
            text += digits()
        }
        if at(position) == ".", isDigit(position + 1) {
            position += 1
            text += "." + digits()
        }
        if at(position) == "e" || at(position) == "E" {
            let sign = at(position + 1) == "-" || at(position + 1) == "+" ? 1 : 0
            if isDigit(position + 1 + sign) {
                let negative = at(position + 1) == "-"
                position += 1 + sign
                text += (negative ? "e-" : "e") + digits()
            }
        }
        let value = Decimal(string: text, locale: Locale(identifier: "en_US_POSIX"))
        return value.flatMap { $0.isNaN ? nil : $0 }
    }

    private mutating func digits() -> String {
        let start = position
        while isDigit(position) { position += 1 }
        return String(characters[start..<position])
    }

    /// `3/4`, where the 3 is read; not a date as 3/4/2020.
    private mutating func fraction(of numerator: Decimal) -> Numeral? {
        let start = position
        guard at(position) == "/", isDigit(position + 1) else { return nil }
        position += 1
        guard let denominator = decimal(), denominator != 0,
            !(at(position) == "/" && isDigit(position + 1))
        else {
            position = start
            return nil
        }
        return Numeral(numerator: numerator, denominator: denominator)
    }

    /// `1 3/4`, where the 1 is read.
    private mutating func mixed(_ whole: Decimal) -> Numeral? {
        let start = position
        guard at(position) == " ", isDigit(position + 1) else { return nil }
        position += 1
        guard let numerator = decimal(), let part = fraction(of: numerator),
            part.numerator < part.denominator
        else {
            position = start
            return nil
        }
        return Numeral(
            numerator: whole * part.denominator + part.numerator, denominator: part.denominator)
    }
}

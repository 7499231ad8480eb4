import FlywheelCore

extension PersonalDatum {
    /// Numbers that can only be meant as such; a bare row of digits is left alone, since most are not.
    ///
    /// `+` or `00` and 8 to 15 digits (E.164) in any grouping; ten digits grouped 3-3-4 as in North
    /// America, also with a leading 1; a leading 0 and a first group of 2 to 5 digits, then the rest,
    /// 9 to 12 in all.
    static func phones(_ text: [UInt8]) -> [(Range<Int>, String)] {
        var found: [(Range<Int>, String)] = []
        var place = 0
        while place < text.count {
            guard let candidate = Candidate(text, at: place) else {
                place += 1
                continue
            }
            if candidate.isPhone {
                found.append(
                    (place..<candidate.end, String(decoding: candidate.digits, as: UTF8.self)))
            }
            place = candidate.end
        }
        return found
    }

    /// A row of groups of digits, with what stands between them.
    private struct Candidate {
        var end: Int
        var digits: [UInt8] = []
        /// The size of each group.
        var groups: [Int] = []
        var separators: [UInt8] = []
        var isInternational = false

        init?(_ text: [UInt8], at start: Int) {
            let first = text[start]
            guard Redactor.isDigit(first) || "+(".utf8.contains(first),
                isBoundary(text, before: start), start == 0 || text[start - 1] != UInt8(ascii: "+")
            else { return nil }
            end = start
            var place = start
            if first == UInt8(ascii: "+") {
                isInternational = true
                place += 1
            }
            var blanks = 0
            var isInGroup = false
            while place < text.count {
                let byte = text[place]
                if Redactor.isDigit(byte) {
                    if !isInGroup { groups.append(0) }
                    groups[groups.count - 1] += 1
                    digits.append(byte)
                    (isInGroup, blanks, end) = (true, 0, place + 1)
                } else if " -./()".utf8.contains(byte), blanks < 2 {
                    if isInGroup { separators.append(byte) }
                    (isInGroup, blanks) = (false, blanks + 1)
                } else {
                    break
                }
                place += 1
            }
            guard !digits.isEmpty, isBoundary(text, after: end) else { return nil }
            separators = Array(separators.prefix(groups.count - 1))
            if digits.starts(with: "00".utf8), groups.count > 1 {
                isInternational = true
                digits.removeFirst(2)
            }
        }

        var isPhone: Bool {
            if isInternational {
                return 8...15 ~= digits.count && digits.first != UInt8(ascii: "0")
            }
            if groups == [3, 3, 4] || groups == [1, 3, 3, 4] && digits[0] == UInt8(ascii: "1") {
                return true
            }
            guard digits[0] == UInt8(ascii: "0"), 9...12 ~= digits.count, groups.count > 1,
                2...5 ~= groups[0]
            else { return false }
            // Dots are of dates, but for France's five pairs.
            return !separators.contains(UInt8(ascii: ".")) || groups == [2, 2, 2, 2, 2]
        }
    }
}

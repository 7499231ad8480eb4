import FlywheelCore
import Foundation
import Graders
import Testing

@Suite struct Patterns {
    /// Patterns that both engines know; the standard library's backtracks.
    static let patterns = [
        "a", "abc|ab|a", "a*", "a+?b", "(a|b)*c", "(a+)(b+)?", "^a.c$", "[^a-c]+", "[a-c]{2,3}?",
        "(a|ab)(c|bcd)(d*)", "\\ba\\w*\\b", "(?:ab){2}", "x*", "(?:a*)*b", "(?i)AbC",
        "a{0,2}b", "(?:a|(b))(?:c|(d))*", "\\d+(\\.\\d+)?", "[\\w.]+@[\\w.]+", "a|b|", "\\Bb",
    ]

    @Test(arguments: patterns)
    func `a pattern finds what the standard library's expressions find`(text: String) throws {
        let pattern = try Pattern(text)
        let reference = try Regex(text).wordBoundaryKind(.simple)
        for number in 0..<3_000 {
            let subject = Self.subject(number)
            let expected = subject.firstMatch(of: reference)
            let found = pattern.match(in: subject, isWhole: false)
            #expect(found?[0] == expected.map { String(subject[$0.range]) }, "in `\(subject)`")
            #expect(
                (pattern.match(in: subject, isWhole: true) != nil)
                    == (subject.wholeMatch(of: reference) != nil), "all of `\(subject)`")
            guard let expected, let found else { continue }
            for group in 1..<max(expected.output.count, 1) {
                let range = expected.output[group].range
                #expect(found[group] == range.map { String(subject[$0]) }, "in `\(subject)`")
            }
        }
    }

    /// Words of up to seven of eight letters.
    private static func subject(_ number: Int) -> String {
        var (text, rest) = ("", number &* 2_654_435_761 & 0xFFFFFF)
        for _ in 0..<number % 8 {
            text.append(Array("abcd1. @")[rest % 8])
            rest /= 8
        }
        return text
    }

    @Test func `a pattern that makes others hang answers at once`() throws {
        let evil = String(repeating: "a", count: 20_000) + "!"
        for text in ["(a+)+$", "(a|a)*c$", "(a*)*b", "(?:a?){50}a{50}$", "(.*)(.*)(.*)(.*)x"] {
            let start = ContinuousClock.now
            #expect(try Pattern(text).match(in: evil, isWhole: false) == nil, "\(text)")
            #expect(ContinuousClock.now - start < .seconds(20), "\(text)")
        }
    }

    @Test func `what needs backtracking, and what is wrong, is refused with its place`() {
        for (text, says) in [
            ("(a)\\1", "references back to a group are not available at character 5"),
            ("a(?=b)", "looking around and atomic groups are not available at character 5"),
            ("(?<!b)a", "looking around"), ("(a", "a `(` is not closed"),
            ("a)", "a `)` closes nothing at character 2"), ("[a", "a `[` is not closed"),
            ("*a", "`*` repeats nothing at character 1"), ("a**", "repeats a repetition"),
            ("a{3,2}", "the wrong way round"), ("\\q", "`\\q` is not known here"),
            ("((a{999}){999}){999}", "the pattern is too large"),
            ("((?:){999999}){999999}", "the pattern is too large"),
            ("[b-a]", "not a range"), ("a(?i)", "an unknown kind of group"),
        ] {
            let error = #expect(throws: InputError.self) { try Pattern(text) }
            #expect(error?.description.contains(says) == true, "\(text): \(error.debugDescription)")
        }
    }

    @Test func `digits, words and blanks are Unicode's`() throws {
        #expect(
            try Pattern("^\\w+\\s\\d+$").match(in: "Größe\u{A0}٣", isWhole: false)
                == ["Größe\u{A0}٣"])
        #expect(try Pattern("(?i)straße").match(in: "STRAßE", isWhole: true) != nil)
        #expect(try Pattern("[]a]+").match(in: "b]a", isWhole: false) == ["]a"])
        #expect(try Pattern("\\x41\\u{1F389}").match(in: "A🎉", isWhole: true) != nil)
    }
}

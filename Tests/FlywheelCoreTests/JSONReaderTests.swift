import FlywheelCore
import Testing

private func parse(_ text: String) throws(InputError) -> JSONValue {
    try JSONValue(parsing: Array(text.utf8))
}

@Suite struct JSONTexts {
    @Test(
        arguments: [
            ("null", JSONValue.null), (" true ", true), ("false", false), ("0", 0), ("-0", 0),
            ("-12", -12), ("9223372036854775807", .integer(.max)),
            ("-9223372036854775808", .integer(.min)), ("9223372036854775808", .number(0x1p63)),
            ("1.5", 1.5), ("-0.25e2", -25.0), ("1E+2", 100.0), ("1e-2", 0.01), ("0.1", 0.1),
            ("\"\"", ""), (#""aé😀""#, "aé😀"), (#""\u0041\u00e9\ud83d\uDE00""#, "Aé😀"),
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0000""#, "\0"),
            ("[]", []), ("[ ]", []), ("{}", [:]), ("[1,[2],{\"a\":[]}]", [1, [2], ["a": []]]),
            ("\t{ \"a\" : 1 ,\r\n\"b\":null }\n", ["a": 1, "b": nil]), (#"{"":0}"#, ["": 0]),
            ("\"\u{7F}\u{2028}\"", "\u{7F}\u{2028}"),
        ] as [(String, JSONValue)])
    func `a valid text is read`(_ text: String, _ value: JSONValue) throws {
        #expect(try parse(text) == value)
    }

    @Test(
        arguments: [
            ("", 1), (" \n\n", 3), ("nul", 1), ("nulll", 1), ("True", 1), ("NaN", 1), ("-", 1),
            ("+1", 1), ("01", 1), ("-01", 1), ("1.", 1), (".5", 1), ("1e", 1), ("1e+", 1),
            ("0x1", 1),
            ("1e999", 1), ("1 2", 1), ("'a'", 1), ("\"a", 1), ("\"a\nb\"", 1), ("\"\t\"", 1),
            (#""\x""#, 1), (#""\u12g4""#, 1), (#""\u12"#, 1), (#""\ud800""#, 1),
            (#""\ud800\u0041""#, 1),
            (#""\udc00""#, 1), ("[1,]", 1), ("[,1]", 1), ("[1 2]", 1), ("[", 1), ("[1", 1),
            ("]", 1),
            ("{", 1), (#"{"a"}"#, 1), (#"{"a":}"#, 1), (#"{"a":1,}"#, 1), (#"{a:1}"#, 1),
            ("{1:1}", 1),
            (#"{"a":1 "b":2}"#, 1), (#"{"a":1]"#, 1), ("[}", 1), ("[1]\n\nx", 3),
            ("{\n\"a\":\n1,\n}", 4),
            ("{\"a\":1,\n\"a\":1}", 2), ("// no\n1", 1), ("\u{FEFF}1", 1), ("[1\u{A0}]", 1),
        ] as [(String, Int)])
    func `an invalid text is refused, with its line`(_ text: String, _ line: Int) {
        let error = #expect(throws: InputError.self) { try parse(text) }
        #expect(error?.line == line)
        #expect(error?.problem.hasPrefix("not valid JSON: ") == true)
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x22, 0xC0, 0x80, 0x22], [0x22, 0x5C, 0x6E, 0xFF, 0x22], [0xFF],
        ] as [[UInt8]])
    func `bytes that are not UTF-8 are refused`(_ bytes: [UInt8]) {
        #expect(throws: InputError.self) { try JSONValue(parsing: bytes) }
    }

    @Test func `nesting ends somewhere`() throws {
        let deep = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
        _ = try parse(deep(512))
        #expect(throws: InputError.self) { try parse(deep(513)) }
        #expect(throws: InputError.self) { try parse(String(repeating: "[", count: 1_000_000)) }
    }

    @Test(arguments: [
        JSONValue.null, 0.1, -1e300, 0x1p-1022, "\u{1F600}\"\\\u{1}",
        ["a": [1, 2.5, "x"], "b": [:]],
    ])
    func `what is written canonically is read back`(_ value: JSONValue) throws {
        #expect(try parse(value.canonical) == value)
    }
}

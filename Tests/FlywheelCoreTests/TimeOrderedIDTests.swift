import FlywheelCore
import Foundation
import Testing

@Suite struct Identifiers {
    @Test func `ids rise strictly, whatever the clock does, and say when they were made`() throws {
        let ids = TimeOrderedIDs()
        let now = Date(timeIntervalSince1970: 1_800_000_000.123)
        var last = ""
        for index in 0..<20_000 {
            // The clock stands, and now and then goes back.
            let id = ids.next(at: now.addingTimeInterval(index.isMultiple(of: 100) ? -5 : 0))
            #expect(id.text > last)
            last = id.text
        }
        let id = ids.next(at: now.addingTimeInterval(60))
        #expect(id.timeMade == now.addingTimeInterval(60))
        // Version 7 and the variant of RFC 9562.
        #expect(id.uuid.6 >> 4 == 7 && id.uuid.8 >> 6 == 2)
        #expect(UUID().timeMade == nil)
    }

    @Test(
        arguments: [
            ("123456789", 0xE306_9283), ("", 0),
            // RFC 3720, appendix B.4: 32 bytes of zeroes, and of ones.
            (String(repeating: "\0", count: 32), 0x8A91_36AA),
        ] as [(String, UInt32)])
    func `CRC-32C is that of the RFC`(text: String, expected: UInt32) {
        var check = CRC32C()
        for byte in text.utf8 { check.update([byte]) }
        #expect(check.value == expected)
    }

    @Test(
        arguments: [
            (#"{"a":1,"b":2}"#, ["a": "9"], #"{"a":9,"b":2}"#),
            (#"{ "a" : 1 , "b" : 2 }"#, ["b": nil], #"{ "a" : 1 }"#),
            (#"{ "a" : 1 , "b" : 2 }"#, ["a": nil], #"{ "b" : 2 }"#),
            (
                #"{"a":{"x":[1,"}"]},"c":null}"#, ["c": "true", "d": "[]"],
                #"{"a":{"x":[1,"}"]},"c":true,"d":[]}"#
            ),
            ("{}", ["a": "1"], #"{"a":1}"#), (#"{"a":1}"#, ["a": nil], "{}"),
        ] as [(String, [String: String?], String)])
    func `a change of a JSON text leaves every other byte as it was`(
        text: String, changes: [String: String?], expected: String
    ) throws {
        let object = try JSONObjectText(Array(text.utf8))
        let changed = object.changing(changes.mapValues { $0.map { Array($0.utf8) } })
        #expect(
            String(decoding: changed, as: UTF8.self).filter { $0 != " " }
                == expected.filter { $0 != " " })
        #expect(throws: Never.self) { try JSONObjectText(changed) }
    }
}

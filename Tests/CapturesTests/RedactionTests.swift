import Captures
import FlywheelCore
import Testing

@Suite struct Redaction {
    @Test(arguments: [
        ("write to ann@example.com", "write to [EMAIL_1]"),
        ("Ann <ann.b+tag@mail.example.co.uk>.", "Ann <[EMAIL_1]>."),
        ("a@b", "a@b"), ("@home and a@", "@home and a@"), ("jörg@müller.de", "[EMAIL_1]"),
        ("ann@example.com, bob@example.com, Ann@Example.com", "[EMAIL_1], [EMAIL_2], [EMAIL_1]"),
        ("card 4111 1111 1111 1111.", "card [CARD_1]."),
        ("5500-0000-0000-0004", "[CARD_1]"), ("378282246310005", "[CARD_1]"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("order a4111111111111111", "order a4111111111111111"),
        ("DE89 3704 0044 0532 0130 00", "[IBAN_1]"), ("gb82west12345698765432", "[IBAN_1]"),
        ("DE89 3704 0044 0532 0130 01", "DE89 3704 0044 0532 0130 01"),
        ("to DE89370400440532013000 and DE89 3704 0044 0532 0130 00", "to [IBAN_1] and [IBAN_1]"),
        ("call +1 (415) 555-2671 now", "call [PHONE_1] now"), ("+49 30 901820", "[PHONE_1]"),
        ("0049 30 901820", "[PHONE_1]"), ("(415) 555-2671", "[PHONE_1]"),
        ("415.555.2671", "[PHONE_1]"), ("030 1234567", "[PHONE_1]"),
        ("01 23 45 67 89", "[PHONE_1]"),
        ("01.23.45.67.89", "[PHONE_1]"), ("2024-01-15 10:30", "2024-01-15 10:30"),
        ("15.01.2024 10:30", "15.01.2024 10:30"), ("ticket 1234567890", "ticket 1234567890"),
        ("3.14159265358979", "3.14159265358979"), ("192.168.100.200", "192.168.100.200"),
    ])
    func `finds what is meant as personal, and nothing else`(text: String, expected: String) {
        var redactor = Redactor(Set(PersonalDatum.allCases))
        #expect((redactor.redact(text) ?? text) == expected)
    }

    @Test func `a datum has one placeholder throughout a capture, however it is written`() {
        var redactor = Redactor([.email, .card])
        let request = redactor.redact(
            json: Array(
                #"{"messages":[{"content":"I am Ann@example.com, 4111 1111 1111 1111"}]}"#.utf8))
        let answer = redactor.redact(
            json: Array(#"{"content":"ann@example.com pays with 4111-1111-1111-1111"}"#.utf8))
        #expect(
            String(decoding: request, as: UTF8.self)
                == #"{"messages":[{"content":"I am [EMAIL_1], [CARD_1]"}]}"#)
        #expect(
            String(decoding: answer, as: UTF8.self)
                == #"{"content":"[EMAIL_1] pays with [CARD_1]"}"#)
        #expect(redactor.counts == [.email: 2, .card: 2])
    }

    @Test
    func `reads escapes, keys, numbers and strings within strings, and leaves the rest as written`()
    {
        var redactor = Redactor([.email, .card])
        let text =
            #"{ "ann\u0040example.com" : 4111111111111111, "n":1.50, "arguments":"{\"to\":\"bob@example.com\"}", "image":"data:image/png;base64,ann@example.com" }"#
        let redacted = String(decoding: redactor.redact(json: Array(text.utf8)), as: UTF8.self)
        #expect(
            redacted
                == #"{ "[EMAIL_1]" : "[CARD_1]", "n":1.50, "arguments":"{\"to\":\"[EMAIL_2]\"}", "image":"data:image/png;base64,ann@example.com" }"#
        )
    }

    @Test func `placeholders that stand there already keep their numbers`() {
        var redactor = Redactor([.email])
        #expect(
            redactor.redact("[EMAIL_3] wrote to ann@example.com") == "[EMAIL_3] wrote to [EMAIL_4]")
    }

    @Test func `only what was asked for is taken out`() {
        var redactor = Redactor([.phone])
        #expect(redactor.redact("ann@example.com, +49 30 901820") == "ann@example.com, [PHONE_1]")
        var none = Redactor([])
        #expect(none.redact("ann@example.com") == nil && none.isIdle)
    }
}

import Captures
import FlywheelCore
import Foundation
import Testing

/// Feedback on its way to the database, and tokens that allow it.
@Suite struct FeedbackRecords {
    private static func feedback() -> Feedback {
        var feedback = Feedback(
            id: Feedback.id(underKey: "k", of: "app"), digest: "d", target: .init(.episode, "e"),
            name: .score, source: "x", role: .program, at: Date(timeIntervalSince1970: 1_000))
        feedback.value = 0.5
        feedback.correction = #"{"b":1,"a":2}"#
        return feedback
    }

    @Test func `a record of the spool is a call or feedback, and reads back as it was`() throws {
        let several = [Self.feedback(), Self.feedback()]
        let record = try SpooledRecord.bytes(of: several)
        #expect(try SpooledRecord(record[...]) == .feedback(several))
        let call = CapturedCall(
            capture: Capture(
                id: UUID(), requestedModel: "a", model: "b", upstream: "c", status: .ok,
                httpStatus: 200, latencyMs: 1, overheadMs: 0.1), request: [1, 2])
        #expect(try SpooledRecord(try call.spooled()[...]) == .call(call))
        #expect(throws: (any Error).self) { try SpooledRecord(record.dropLast(3)) }
        #expect(throws: (any Error).self) { try SpooledRecord([1, 2]) }
    }

    @Test func `one idempotency key of one caller is one id`() {
        let id = Feedback.id(underKey: "k", of: "app")
        #expect(id == Feedback.id(underKey: "k", of: "app") && id.timeMade == nil)
        let others = [("k", "other"), ("l", "app"), ("k", nil)] as [(String, String?)]
        for (key, caller) in others { #expect(Feedback.id(underKey: key, of: caller) != id) }
    }

    @Test func `a token is read under its secret alone, and every bit of it counts`() throws {
        let secret = Array("Jefe".utf8)
        let token = FeedbackToken(
            call: TimeOrderedIDs().next(), ends: Date(timeIntervalSince1970: 2_000_000_000))
        let text = token.text(secret: secret)
        #expect(FeedbackToken(text, secret: secret) == token)
        #expect(FeedbackToken(text, secret: secret + [0, 1]) == nil)
        #expect(FeedbackToken(String(text.dropLast()), secret: secret) == nil)
        #expect(FeedbackToken("fwt-", secret: secret) == nil)
        let letters = Array(text)
        // The last letter of 56 bytes has bits that say nothing.
        for place in FeedbackToken.prefix.count..<letters.count - 1 {
            var forged = letters
            forged[place] = letters[place] == "A" ? "B" : "A"
            #expect(FeedbackToken(String(forged), secret: secret) == nil, "letter \(place)")
        }
    }
}

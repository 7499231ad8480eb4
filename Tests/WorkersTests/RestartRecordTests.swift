import Testing
import Workers

@Suite struct RestartRecordTests {
    @Test func `a server that answered is started again at once`() {
        var record = RestartRecord()
        #expect(record.died(answered: .seconds(1)) == .again(after: .zero))
    }

    @Test func `one that dies again and again is given longer pauses, and then given up`() {
        var record = RestartRecord()
        var pauses: [Duration] = []
        while case .again(let pause) = record.died(answered: nil) { pauses.append(pause) }
        #expect(pauses.count == RestartRecord.deathsMax - 1)
        #expect(zip(pauses, pauses.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test func `one that answered long has forgiven what was before`() {
        var record = RestartRecord()
        for _ in 1..<RestartRecord.deathsMax { _ = record.died(answered: nil) }
        #expect(record.died(answered: RestartRecord.forgivenAfter) == .again(after: .zero))
        #expect(record.died(answered: nil) != .giveUp)
    }

    @Test func `what no repetition mends is given up at once`() {
        var record = RestartRecord()
        #expect(record.died(answered: nil, isHopeless: true) == .giveUp)
    }
}

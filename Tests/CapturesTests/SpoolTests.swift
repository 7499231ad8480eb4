import Captures
import FlywheelCore
import Foundation
import TestSupport
import Testing

@Suite struct Spools {
    /// Payloads of chance, none of which is like another.
    private static func payloads(_ count: Int, seed: UInt64) -> [[UInt8]] {
        var numbers = SeededNumbers(seed: seed)
        return (0..<count).map { index in
            Array("record \(index) ".utf8)
                + (0..<Int.random(in: 0..<400, using: &numbers)).map { _ in
                    UInt8.random(in: 0 ... .max, using: &numbers)
                }
        }
    }

    private static func segment(_ payloads: [[UInt8]]) -> [UInt8] {
        payloads.reduce(SpoolRecord.header) { $0 + SpoolRecord.encode($1) }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `everything before a cut is read, and nothing after is invented`(seed: UInt64) {
        var numbers = SeededNumbers(seed: seed)
        let payloads = Self.payloads(12, seed: seed)
        let whole = Self.segment(payloads)
        for _ in 0..<50 {
            let cut = Int.random(in: 0...whole.count, using: &numbers)
            let text = Array(whole[..<cut])
            let (found, end, ending) = SpoolRecord.readAll(text)
            let read = found.map { Array(text[$0]) }
            #expect(read == Array(payloads.prefix(read.count)), "seed \(seed), cut at \(cut)")
            let next =
                read.count < payloads.count ? SpoolRecord.encode(payloads[read.count]).count : 1
            #expect(end + next > cut, "a whole record was passed over: seed \(seed), cut at \(cut)")
            #expect(ending == (end == cut && cut >= SpoolRecord.header.count ? .end : .torn))
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `everything before a wrong bit is read, and nothing after is invented`(seed: UInt64) {
        var numbers = SeededNumbers(seed: seed)
        let payloads = Self.payloads(12, seed: seed)
        let whole = Self.segment(payloads)
        for _ in 0..<50 {
            let place = Int.random(in: 0..<whole.count, using: &numbers)
            var text = whole
            text[place] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
            let (found, end, _) = SpoolRecord.readAll(text)
            let read = found.map { Array(text[$0]) }
            #expect(read == Array(payloads.prefix(read.count)), "seed \(seed), bit at \(place)")
            #expect(end <= place, "seed \(seed), bit at \(place)")
            var before = SpoolRecord.header.count
            let whole = payloads.prefix { payload in
                before += SpoolRecord.encode(payload).count
                return before <= place
            }
            #expect(place < SpoolRecord.header.count || read.count == whole.count)
        }
    }

    @Test func `records come out in order, once, and leave no file behind`() async throws {
        try await temporaryFolder { folder in
            var limits = Spool.Limits()
            limits.segmentBytes = 2_000
            let spool = try #require(try Spool(folder: folder + "/a", limits: limits))
            let payloads = Self.payloads(100, seed: 1)
            var drained: [[UInt8]] = []
            for (index, payload) in payloads.enumerated() {
                try await spool.append(payload)
                guard index.isMultiple(of: 7), let batch = try spool.nextBatch(bytes: 1_000) else {
                    continue
                }
                drained += batch.payloads.map { Array($0) }
                spool.drained(batch)
            }
            while let batch = try spool.nextBatch(bytes: 1_000) {
                drained += batch.payloads.map { Array($0) }
                spool.drained(batch)
            }
            #expect(drained == payloads)
            #expect(spool.backlog == 0)
            spool.remove()
            #expect(!FileManager.default.fileExists(atPath: folder + "/a"))
        }
    }

    @Test func `a full spool refuses at once, and takes again when it has been drained`()
        async throws
    {
        try await temporaryFolder { folder in
            var limits = Spool.Limits()
            limits.bytesMax = 1_000
            let spool = try #require(
                try Spool(folder: folder + "/a", limits: limits, isSynced: true))
            let payload = [UInt8](repeating: 7, count: 300)
            for _ in 0..<3 { try await spool.append(payload) }
            await #expect(throws: Spool.Refusal.self) { try await spool.append(payload) }
            let batch = try #require(try spool.nextBatch())
            #expect(batch.payloads.count == 3)
            spool.drained(batch)
            try await spool.append(payload)
            #expect(try spool.nextBatch()?.payloads.count == 1)
        }
    }

    @Test func `a dead process's spool is taken over, its torn end cut off and said`() async throws
    {
        try await temporaryFolder { root in
            let payloads = Self.payloads(5, seed: 3)
            try FileManager.default.createDirectory(
                atPath: root + "/dead", withIntermediateDirectories: true)
            let torn = Self.segment(payloads).dropLast(3)
            try Data(torn).write(to: URL(fileURLWithPath: root + "/dead/00000001.spool"))
            try Data().write(to: URL(fileURLWithPath: root + "/dead/lock"))
            let living = try #require(try Spool(folder: root + "/living"))
            try await living.append(payloads[0])
            let found = try Spool.abandoned(in: root)
            #expect(found.map(\.folder) == [root + "/dead"])
            #expect(
                found[0].complaints.count == 1
                    && found[0].complaints[0].contains("whose writer died"))
            let batch = try #require(try found[0].nextBatch())
            #expect(batch.payloads.map { Array($0) } == Array(payloads.dropLast()))
            found[0].drained(batch)
            found[0].remove()
            #expect(try FileManager.default.contentsOfDirectory(atPath: root) == ["living"])
            #expect(living.backlog > 0)
        }
    }

    @Test func `a call comes out of the spool as it went in`() throws {
        var capture = Capture(
            id: TimeOrderedIDs().next(), requestedModel: "gpt-5", model: "gpt-5",
            upstream: "frontier",
            status: .partial, httpStatus: 200, latencyMs: 12.5, overheadMs: 0.25)
        capture.cost = Decimal(string: "0.0000123456789")
        capture.tags = ["team": "blue"]
        capture.usage = Usage(promptTokens: 12, completionTokens: 3, cachedTokens: 1)
        for (request, response) in [
            (Array("{}".utf8), nil), (nil, nil), (Array("{}".utf8), Array("[1]".utf8)),
        ] as [([UInt8]?, [UInt8]?)] {
            let call = CapturedCall(capture: capture, request: request, response: response)
            #expect(try CapturedCall(spooled: try call.spooled()[...]) == call)
        }
        #expect(throws: (any Error).self) { try CapturedCall(spooled: [1, 2, 3]) }
    }
}

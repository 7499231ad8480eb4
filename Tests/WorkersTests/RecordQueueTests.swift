import FlywheelCore
import Foundation
import Jobs
import Testing
import Workers

@Suite struct `A queue of records` {
    private let start = ContinuousClock.now
    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func step(_ number: Int) -> StepRecord {
        StepRecord(
            step: number, loss: 1, learningRate: 1, gradNorm: 1, tokens: 1, supervisedTokens: 1,
            stepSeconds: 1, ranks: 1, weightsDigest: nil)
    }

    private func checkpoint(_ step: Int) -> CheckpointRecord {
        let digest = Digest(of: "\(step)")
        return CheckpointRecord(
            step: step, path: "/c\(step)", bytes: 1, digest: digest, weightsDigest: digest)
    }

    @Test func `keeps steps back for half a second, for company`() {
        var queue = RecordQueue()
        queue.add(.steps([step(1)]), at: at(0))
        queue.add(.steps([step(2)]), at: at(0.3))
        #expect(queue.dueAt == at(0.5))
        #expect(queue.takeNext(at: at(0.4)) == nil)
        #expect(queue.takeNext(at: at(0.5)) == .steps([step(1), step(2)]))
        #expect(queue.count == 0)
    }

    @Test func `writes steps before the checkpoint that holds them, at once`() {
        var queue = RecordQueue()
        queue.add(.steps([step(1)]), at: at(0))
        queue.add(.checkpoint(checkpoint(1)), at: at(0))
        queue.add(.steps([step(2)]), at: at(0))
        #expect(queue.takeNext(at: at(0)) == .steps([step(1)]))
        #expect(queue.takeNext(at: at(0)) == .checkpoint(checkpoint(1)))
        #expect(queue.takeNext(at: at(0)) == nil)
        #expect(queue.takeNext(at: at(0.5)) == .steps([step(2)]))
    }

    @Test func `writes at most sixty-four steps at a time, in order`() {
        var queue = RecordQueue()
        for number in 1...150 { queue.add(.steps([step(number)]), at: at(0)) }
        queue.close()
        var sizes: [Int] = []
        var numbers: [Int] = []
        while case .steps(let steps) = queue.takeNext(at: at(0)) {
            sizes.append(steps.count)
            numbers += steps.map(\.step)
        }
        #expect(sizes == [64, 64, 22])
        #expect(numbers == Array(1...150))
        #expect(queue.isFinished)
    }

    @Test func `writes a step that is said twice twice`() {
        var queue = RecordQueue()
        for number in [1, 2, 2, 3] { queue.add(.steps([step(number)]), at: at(0)) }
        #expect(queue.takeNext(at: at(0)) == .steps([step(1), step(2)]))
        queue.close()
        #expect(queue.takeNext(at: at(0)) == .steps([step(2), step(3)]))
    }

    @Test func `keeps only the newest of neighbouring progress`() {
        var queue = RecordQueue()
        for done in 1...9 { queue.add(.progress(phase: "load", done: done, total: 9), at: at(0)) }
        #expect(queue.takeNext(at: at(0)) == .progress(phase: "load", done: 9, total: 9))
        #expect(queue.count == 0)
    }

    @Test func `a closed queue waits for nobody`() {
        var queue = RecordQueue()
        queue.add(.steps([step(1)]), at: at(0))
        queue.close()
        #expect(!queue.isFinished)
        #expect(queue.takeNext(at: at(0)) == .steps([step(1)]))
        #expect(queue.isFinished)
    }
}

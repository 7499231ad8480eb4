import FlywheelCore
import Foundation
import Jobs
import Processes
import Testing
import Workers

@Suite struct `A monitor of an attempt` {
    private let start = ContinuousClock.now
    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }
    private func monitor() -> AttemptMonitor { AttemptMonitor(launchedAt: start) }

    private func step(_ number: Int, seconds: Double) -> RankEvent {
        .step(
            StepRecord(
                step: number, loss: 1, learningRate: 1, gradNorm: 1, tokens: 1, supervisedTokens: 1,
                stepSeconds: seconds, ranks: 1, weightsDigest: nil))
    }

    @Test func `waits a minute for the first word and twenty seconds for each after it`() {
        var monitor = monitor()
        #expect(monitor.tick(at: at(60)) == [])
        monitor.received(.started(ranks: 1, numericProfile: "p", stepsTotal: 9), at: at(60))
        #expect(monitor.tick(at: at(80)) == [])
        monitor.received(.progress(phase: "load", done: 1, total: 2), at: at(80))
        #expect(monitor.tick(at: at(100)) == [])
        #expect(monitor.tick(at: at(100.1)) == [.inspect])
        #expect(monitor.tick(at: at(101)) == [])
        #expect(monitor.inspected(at: at(101)) == [.terminate])
        #expect(monitor.inspected(at: at(101)) == [])
        #expect(monitor.tick(at: at(109)) == [.kill])
        #expect(monitor.ending(.signalled(9), lastErrors: "") == .failed(.loss, reason: reason(20)))
    }

    private func reason(_ seconds: Int) -> String {
        "no rank made progress for \(seconds) seconds; its logs show where they stood"
    }

    @Test func `looks at ranks that stopped for so long and no longer, and then ends them`() {
        var monitor = monitor()
        monitor.received(.started(ranks: 1, numericProfile: "p", stepsTotal: 9), at: at(0))
        #expect(monitor.tick(at: at(21)) == [.inspect])
        // One that wakes up meanwhile has lost its lease all the same.
        monitor.received(step(1, seconds: 1), at: at(22))
        #expect(monitor.tick(at: at(25.9)) == [])
        #expect(monitor.tick(at: at(26)) == [.terminate])
        #expect(monitor.inspected(at: at(27)) == [])
        #expect(monitor.tick(at: at(34)) == [.kill])
        #expect(monitor.ending(.exited(137), lastErrors: "") == .failed(.loss, reason: reason(20)))
    }

    @Test func `is as patient as ten median steps are long`() {
        var monitor = monitor()
        for (number, seconds) in [4.0, 90, 4, 4, 1].enumerated() {
            monitor.received(step(number + 1, seconds: seconds), at: at(0))
        }
        #expect(monitor.tick(at: at(40)) == [])
        #expect(monitor.tick(at: at(40.1)) == [.inspect])
    }

    @Test func `asks once, then insists, then kills`() {
        var monitor = monitor()
        #expect(monitor.wanted(.leave, at: at(1)) == [.send(.leave)])
        #expect(monitor.wanted(.leave, at: at(2)) == [])
        #expect(monitor.tick(at: at(30.9)) == [])
        #expect(monitor.tick(at: at(31)) == [.terminate])
        #expect(monitor.tick(at: at(38)) == [])
        #expect(monitor.tick(at: at(39)) == [.kill])
        #expect(monitor.tick(at: at(40)) == [])
        #expect(monitor.ending(.signalled(9), lastErrors: "") == .left)
    }

    @Test func `lets a cancellation replace a request to leave, never the other way round`() {
        var monitor = monitor()
        #expect(monitor.wanted(.leave, at: at(1)) == [.send(.leave)])
        #expect(monitor.wanted(.cancel, at: at(2)) == [.send(.cancel)])
        #expect(monitor.wanted(.leave, at: at(3)) == [])
    }

    @Test func `gives a shutdown its own deadline`() {
        var monitor = monitor()
        #expect(monitor.wanted(.leave, at: at(0), within: .seconds(60)) == [.send(.leave)])
        #expect(monitor.tick(at: at(59)) == [])
        #expect(monitor.tick(at: at(60)) == [.terminate])
    }

    @Test func `does not wait for ever for ranks that have said goodbye`() {
        var monitor = monitor()
        monitor.received(.done(result: 1), at: at(0))
        #expect(monitor.wanted(.leave, at: at(1)) == [])
        #expect(monitor.tick(at: at(14)) == [])
        #expect(monitor.tick(at: at(15)) == [.terminate])
        #expect(monitor.tick(at: at(23)) == [.kill])
        #expect(monitor.ending(.signalled(9), lastErrors: "") == .done(1))
    }

    @Test func `believes what a rank said first`() {
        var monitor = monitor()
        monitor.received(.failed(reason: "no such row", isInput: true), at: at(0))
        monitor.received(.done(result: 1), at: at(0))
        #expect(
            monitor.ending(.exited(1), lastErrors: "noise")
                == .failed(.input, reason: "no such row"))
    }

    @Test(arguments: [
        (ChildExit.exited(137), "a rank or its launcher was ended by SIGKILL", FailureVerdict.loss),
        (.exited(139), "a rank or its launcher was ended by SIGSEGV", .loss),
        (.exited(205), "the launcher lost contact with its ranks", .loss),
        (.signalled(15), "a rank or its launcher was ended by SIGTERM", .loss),
        (.exited(1), "the ranks exited with 1: oh dear", .failure),
        (.exited(255), "the ranks exited with 255: oh dear", .failure),
        (.exited(0), "the ranks exited without a result: oh dear", .failure),
    ])
    func `tells being killed from failing`(exit: ChildExit, reason: String, verdict: FailureVerdict)
    {
        #expect(
            monitor().ending(exit, lastErrors: "oh dear") == .failed(verdict, reason: reason))
    }
}

import FlywheelCore
import Foundation
import Jobs
import Logging
import Processes

/// The loop between the launch of a gang and the moment when it has ended and all it reported has
/// been written.
struct AttemptSupervision: Sendable {
    let runner: AttemptRunner
    let stage: AttemptStage
    let recorder: AttemptRecorder
    let channel: RankChannel
    let child: ChildProcess
    let processes: MarkedProcesses

    func run() async throws -> AttemptMonitor.Ending {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let inbox = runner.inbox
            group.addTask {
                let exit = await child.exit()
                // Ranks may outlive their launcher; none outlives its attempt.
                processes.kill()
                await channel.close()
                inbox.post(.exited(exit))
            }
            group.addTask {
                do {
                    try await recorder.run()
                    inbox.post(.recorded(nil))
                } catch {
                    inbox.post(.recorded(error))
                }
            }
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(200))
                    inbox.post(.tick)
                }
            }
            let (looks, look) = AsyncStream<Void>.makeStream()
            group.addTask {
                for await _ in looks {
                    await inspect()
                    inbox.post(.inspected)
                }
            }
            defer {
                look.finish()
                group.cancelAll()
            }
            return try await watch { look.yield() }
        }
    }

    /// Adds what the ranks are doing, on every node, to the attempt's logs.
    private func inspect() async {
        runner.log.warning("the gang has stopped; looking at its ranks")
        await runner.tellStall()
        if let report = await StackReport.text(
            of: processes, node: runner.configuration.node, folder: runner.folders.attempt(lease))
        {
            recorder.add(.log(report))
        }
        await runner.waitForMembersToInspect()
    }

    private var lease: Lease { runner.assignment.lease }

    private func watch(_ look: () -> Void) async throws -> AttemptMonitor.Ending {
        var monitor = AttemptMonitor(timings: runner.configuration.timings, launchedAt: .now)
        var tail = LogTail(
            paths: [runner.outputPath(stage), runner.errorsPath(stage)],
            bytesMax: runner.configuration.logBytesMax)
        var tailedAt = ContinuousClock.now
        var ending: AttemptMonitor.Ending?
        var lost: (any Error)?
        for await message in runner.inbox.messages {
            switch message {
            case .event(let event):
                monitor.received(event, at: .now)
                record(event)
            case .asked(let request, let limit):
                obey(monitor.wanted(request, at: .now, within: limit), look)
            case .tick:
                obey(monitor.tick(at: .now), look)
                if .now - tailedAt > .seconds(1), ending == nil {
                    tailedAt = .now
                    if let text = tail.take() { recorder.add(.log(text)) }
                }
            case .inspected: obey(monitor.inspected(at: .now), look)
            case .revoked:
                lost = lost ?? LeaseLoss.fenced(lease)
                // What ended before, and could not be recorded yet, no longer counts.
                if ending != nil { throw LeaseLoss.fenced(lease) }
                obey([.kill], look)
            case .recorded(let error):
                guard let error else {
                    // It was closed, so the ranks have ended.
                    if let lost { throw lost }
                    return ending ?? .left
                }
                lost = lost ?? error
                if ending != nil { throw error }
                obey([.kill], look)
            case .exited(let exit):
                if let lost { throw lost }
                while let text = tail.take() { recorder.add(.log(text)) }
                ending = monitor.ending(
                    exit, lastErrors: LogTail.lastLines(of: runner.errorsPath(stage)))
                recorder.close()
            }
        }
        throw CancellationError()
    }

    private func obey(_ actions: [AttemptMonitor.Action], _ look: () -> Void) {
        for action in actions {
            switch action {
            case .send(let request): channel.send(request)
            case .inspect: look()
            case .terminate: child.signal(SIGTERM)
            case .kill:
                child.signalGroup(SIGKILL)
                processes.signal(SIGKILL)
            }
        }
    }

    private func record(_ event: RankEvent) {
        switch event {
        case .started(_, let numericProfile, let stepsTotal):
            recorder.add(.started(numericProfile: numericProfile, stepsTotal: stepsTotal))
        case .progress(let phase, let done, let total):
            recorder.add(.progress(phase: phase, done: done, total: total))
        case .step(let step): recorder.add(.steps([step]))
        case .item(let item): recorder.add(.items([item]))
        case .evaluation(let step, let metric, let value, let n):
            recorder.add(.metric(name: metric, value: value, n: n, step: step))
        case .checkpoint(let checkpoint): recorder.add(.checkpoint(checkpoint))
        case .alive, .done, .left, .failed: break
        }
    }
}

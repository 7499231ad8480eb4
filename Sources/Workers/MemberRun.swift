import FlywheelCore
import Foundation
import Jobs
import Logging
import Processes

/// The part of a gang that runs on a node which does not lead it: Open MPI's daemon, as the leader's
/// launcher wants it, and the ranks below that.
///
/// It reports nothing: what happens here is the leader's to tell, and ends with the leader's mpirun.
struct MemberRun: Sendable {
    let lease: Lease
    let store: any JobStore
    let patience: Patience
    let inbox: AttemptInbox
    let firstRank: Int
    let network: String
    /// Of the daemon, which the ranks inherit.
    let environment: [String: String]
    let folder: String
    let node: String
    let processes: MarkedProcesses
    /// How long the leader may take to let all leave.
    let shutdownPatience: Duration
    /// Starts a command among the attempt's own processes.
    let start: @Sendable (ChildProcess.Command) async throws -> ChildProcess
    let log: Logger

    /// Returns when the daemon has ended, and throws where the lease is lost before.
    func run(as worker: UUID) async throws {
        try await patience.callAgain("prepared") {
            try await store.memberPrepared(lease, worker: worker)
        }
        let launch = try await launch()
        let output = "\(folder)/daemon.log"
        let command = ChildProcess.Command(
            ["/usr/bin/env"] + (try launch.arguments(network: network)),
            environment: environment, folder: folder, output: output, errors: output)
        let child = try await start(command)
        let exit = try await end(of: child, as: worker)
        guard exit == .exited(0) else { return try await tell(exit, lastErrors: output) }
        // The part is over when the leader says so: a worker that left before would be mourned.
        await waitForLeader()
    }

    /// The leader sees that a daemon ended, and knows better why; unless it never met this one.
    private func tell(_ exit: ChildExit, lastErrors path: String) async throws {
        try await Task.sleep(for: .seconds(5))
        try stay()
        let said = LogTail.lastLines(of: path)
        _ = try await patience.callAgain("fail") {
            try await store.fail(
                lease, .loss,
                reason: LogTail.storable("the launcher's daemon ended early (\(exit)): \(said)"))
        }
    }

    private func waitForLeader() async {
        let deadline = ContinuousClock.now + shutdownPatience
        while !inbox.isRevoked, !inbox.isInterrupted || .now < deadline {
            do {
                _ = try await patience.callAgain("parts") { try await store.parts(of: lease) }
                try await Task.sleep(for: .milliseconds(500))
            } catch {
                return
            }
        }
    }

    /// What is to be started, once the leader has said it.
    private func launch() async throws -> DaemonLaunch {
        while true {
            let parts = try await patience.callAgain("parts") { try await store.parts(of: lease) }
            if let launch = parts.first(where: { $0.firstRank == firstRank })?.launch {
                return launch
            }
            try stay()
            if inbox.isInterrupted {
                try await patience.callAgain("leave") { try await store.askToLeave(lease) }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private func end(of child: ChildProcess, as worker: UUID) async throws -> ChildExit {
        try await withThrowingTaskGroup(of: ChildExit?.self) { group in
            group.addTask { await child.exit() }
            group.addTask {
                try await watch(child)
                return nil
            }
            group.addTask {
                try await inspectWhenStalled(as: worker)
                return nil
            }
            defer { group.cancelAll() }
            while let exit = try await group.next() {
                if let exit { return exit }
            }
            throw CancellationError()
        }
    }

    /// Until the daemon has ended: passes on that this node's worker has to leave, and ends the daemon
    /// when its lease is gone or leaving takes too long.
    private func watch(_ child: ChildProcess) async throws {
        var leaveBy: ContinuousClock.Instant?
        while !Task.isCancelled {
            try await Task.sleep(for: .milliseconds(100))
            try stay()
            if leaveBy == nil, inbox.isInterrupted {
                leaveBy = .now + shutdownPatience
                try await patience.callAgain("leave") { try await store.askToLeave(lease) }
            }
            if let leaveBy, leaveBy < .now {
                child.signalGroup(SIGKILL)
                return
            }
        }
    }

    /// Once the leader has given the gang up because it stopped: notes what the ranks here are doing.
    private func inspectWhenStalled(as worker: UUID) async throws {
        while true {
            try await Task.sleep(for: .seconds(1))
            let parts = try await patience.callAgain("parts") { try await store.parts(of: lease) }
            guard parts.contains(where: \.isStalled) else { continue }
            if let report = await StackReport.text(of: processes, node: node, folder: folder) {
                try await patience.callAgain("log") {
                    try await store.record(log: report, for: lease)
                }
            }
            return try await patience.callAgain("inspected") {
                try await store.inspected(lease, worker: worker)
            }
        }
    }

    private func stay() throws {
        if inbox.isRevoked { throw LeaseLoss.fenced(lease) }
    }
}

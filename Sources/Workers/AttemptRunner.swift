import FlywheelCore
import Foundation
import Jobs
import Logging
import Processes

/// Runs one attempt on this node, from its folders to its end in the store.
struct AttemptRunner: Sendable {
    let assignment: Assignment
    let store: any JobStore
    let configuration: WorkerConfiguration
    let folders: WorkerFolders
    let resolver: any InputResolver
    let taker: any ResultTaker
    let trust: LeaseTrust
    let inbox: AttemptInbox
    let log: Logger

    private var lease: Lease { assignment.lease }
    private var patience: Patience { Patience(lease: lease, trust: trust, log: log) }
    private var mark: AttemptMark {
        AttemptMark(scope: folders.scope, fence: lease.fence.rawValue)
    }
    private var processes: MarkedProcesses { mark.processes }

    /// Returns when nothing of the attempt is left on this machine but what its job may reuse.
    func run() async {
        log.info("attempt begins", metadata: ["ranks": "\(assignment.ranks)"])
        do {
            let state = try await attempt()
            log.info("attempt ended", metadata: ["state": "\(state.rawValue)"])
            if state.isTerminal { folders.removeJob(lease.job) }
        } catch {
            // Whoever took the lease goes on from the last checkpoint.
            log.notice("attempt discarded", metadata: ["reason": "\(error)"])
        }
        processes.kill()
        trust.forget(lease.fence)
        folders.removeAttempt(lease)
    }

    private func attempt() async throws -> JobState {
        do {
            // Ready means that this worker has taken it up: it may now take its time over inputs.
            let leads = try await patience.callAgain("ready") {
                try await store.memberReady(lease, worker: trust.worker)
            }
            guard leads else {
                return try await end(
                    .failed(.failure, reason: "this worker cannot run a gang of several nodes"))
            }
            guard let prepared = try await prepare() else { return try await end(.left) }
            return try await end(try await supervise(prepared))
        } catch let error as LeaseLoss {
            throw error
        } catch let error as InputError {
            return try await end(.failed(.input, reason: error.description))
        } catch let error as StoreRefusal {
            return try await end(.failed(.input, reason: error.description))
        } catch let error as ReplayDiffers {
            return try await end(.failed(.input, reason: error.description))
        } catch {
            return try await end(.failed(.failure, reason: "\(error)"))
        }
    }

    /// Everything that the ranks need, on disk; nil if somebody asked to stop meanwhile.
    private func prepare() async throws -> Preparation? {
        try folders.makeAttempt(lease)
        let folder = folders.job(lease.job)
        let inputs = try await withThrowingTaskGroup(of: RankInputs?.self) { group in
            group.addTask { try await resolver.inputs(of: assignment, in: folder) }
            group.addTask {
                while !inbox.isInterrupted { try await Task.sleep(for: .milliseconds(100)) }
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        if inbox.isRevoked { throw LeaseLoss.fenced(lease) }
        guard var inputs, !inbox.isInterrupted else { return nil }
        if assignment.kind == JobKind.distill.rawValue {
            inputs.paths["items"] = try await writeItems()
        }
        let plan = RankPlan(
            lease: lease, specification: assignment.specification,
            threads: assignment.slotsPerRank, jobFolder: folder,
            attemptFolder: folders.attempt(lease), inputs: inputs.paths,
            titles: inputs.titles,
            checkpoint: assignment.checkpoint, socket: folders.socket(lease))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(plan).write(to: URL(fileURLWithPath: planPath), options: .atomic)
        return Preparation(plan: plan, asksUpstream: inputs.asksUpstream)
    }

    /// The plan of an attempt that is ready to be launched.
    private struct Preparation {
        var plan: RankPlan
        var asksUpstream: Bool
    }

    /// What earlier attempts recorded of the job's prompts, in a file.
    private func writeItems() async throws -> String {
        let items = try await patience.callAgain("items") { try await store.items(of: lease) }
        let path = folders.attempt(lease) + "/items.json"
        try JSONEncoder().encode(items).write(to: URL(fileURLWithPath: path), options: .atomic)
        return path
    }

    private var planPath: String { folders.attempt(lease) + "/plan.json" }

    private func supervise(_ prepared: Preparation) async throws -> AttemptMonitor.Ending {
        let plan = prepared.plan
        let recorder = AttemptRecorder(
            store: store, patience: patience, jobFolder: plan.jobFolder,
            checkpoint: plan.checkpoint)
        let channel = try RankChannel(path: plan.socket, isFull: { recorder.isFull }) { line in
            switch line {
            case .success(let event): inbox.post(.event(event))
            case .failure(let garbled):
                log.warning("not an event", metadata: ["line": "\(garbled.beginning)"])
            }
        }
        let child: ChildProcess
        do {
            child = try await launch(
                prepared.asksUpstream ? try await labelCommand() : rankCommand)
        } catch {
            await channel.close()
            throw error
        }
        let supervision = AttemptSupervision(
            runner: self, recorder: recorder, channel: channel, child: child, processes: processes)
        return try await supervision.run()
    }

    private var rankCommand: ChildProcess.Command {
        let launch = RankLaunch(
            launcher: configuration.launcher, program: configuration.rankProgram,
            ranks: assignment.rankCount, plan: planPath, temporary: folders.temporary(lease),
            sharedMemory: folders.sharedMemory(lease), mark: mark.value,
            extra: configuration.rankEnvironment)
        return command(launch.arguments, launch.environment(from: own))
    }

    /// One process that asks an upstream, with a key of the gateway's that ends with the attempt.
    private func labelCommand() async throws -> ChildProcess.Command {
        guard !configuration.labelProgram.isEmpty else {
            throw InputError(
                "this worker has no program to ask upstreams with",
                remedy: "Update the worker, and submit the job again.")
        }
        let secret = GatewaySecret()
        try await patience.callAgain("lend a key") {
            try await store.lendKey(secret.hash, hint: secret.hint, for: lease)
        }
        let launch = LabelLaunch(
            program: configuration.labelProgram, plan: planPath,
            temporary: folders.temporary(lease), mark: mark.value, gateway: configuration.gateway,
            key: secret.text, extra: configuration.rankEnvironment)
        return command(launch.arguments, launch.environment(from: own))
    }

    private var own: [String: String] { ProcessInfo.processInfo.environment }

    private func command(
        _ arguments: [String], _ environment: [String: String]
    ) -> ChildProcess.Command {
        ChildProcess.Command(
            arguments, environment: environment, folder: folders.attempt(lease),
            output: outputPath, errors: errorsPath)
    }

    private func launch(_ command: ChildProcess.Command) async throws -> ChildProcess {
        try trust.check(lease)
        let child = try await ChildProcess.start(command)
        guard trust.guardProcesses(processes, of: lease.fence) else {
            child.signalGroup(SIGKILL)
            processes.kill()
            throw LeaseLoss.expired(lease, grant: trust.grant)
        }
        return child
    }

    var outputPath: String { folders.attempt(lease) + "/output.log" }
    var errorsPath: String { folders.attempt(lease) + "/errors.log" }

    /// Commits the ending, which may be asked for again if the answer is lost.
    private func end(_ ending: AttemptMonitor.Ending) async throws -> JobState {
        switch ending {
        case .left:
            return try await patience.callAgain("leave") { try await store.leave(lease) }
        case .failed(let verdict, let reason):
            log.warning(
                "attempt failed",
                metadata: ["verdict": "\(verdict.rawValue)", "reason": "\(reason)"])
            return try await patience.callAgain("fail") {
                try await store.fail(lease, verdict, reason: LogTail.storable(reason))
            }
        case .done(let result):
            let outcome = try await taker.outcome(
                of: assignment, result: result, attemptFolder: folders.attempt(lease))
            return try await patience.callAgain("finish") {
                try await store.finish(lease, outcome: outcome)
            }
        }
    }
}

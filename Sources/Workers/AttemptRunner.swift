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
            guard let plan = try await prepare() else { return try await end(.left) }
            return try await end(try await work(plan))
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
    private func prepare() async throws -> RankPlan? {
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
        guard let inputs, !inbox.isInterrupted else { return nil }
        let plan = RankPlan(
            lease: lease, specification: assignment.specification,
            threads: assignment.slotsPerRank, jobFolder: folder,
            attemptFolder: folders.attempt(lease), inputs: inputs.paths,
            titles: inputs.titles,
            checkpoint: assignment.checkpoint, socket: folders.socket(lease))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(plan).write(to: URL(fileURLWithPath: planPath), options: .atomic)
        return plan
    }

    private var planPath: String { folders.attempt(lease) + "/plan.json" }

    /// Runs the stages of the job, one after the other, for as long as each says that it is done.
    private func work(_ plan: RankPlan) async throws -> AttemptMonitor.Ending {
        let stages = (try? JobSpecification(json: assignment.specification).stages) ?? [.ranks]
        var ending = AttemptMonitor.Ending.left
        for (place, stage) in stages.enumerated() {
            ending = try await supervise(plan, stage)
            guard place + 1 < stages.count, case .done(let result) = ending else { break }
            if inbox.isRevoked { throw LeaseLoss.fenced(lease) }
            guard !inbox.isInterrupted else { return .left }
            try Data(result.canonical.utf8).write(
                to: URL(
                    fileURLWithPath: "\(plan.attemptFolder)/\(AttemptStage.handover)"),
                options: .atomic)
        }
        return ending
    }

    private func supervise(
        _ plan: RankPlan, _ stage: AttemptStage
    ) async throws -> AttemptMonitor.Ending {
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
            child = try await launch(stage)
        } catch {
            await channel.close()
            throw error
        }
        let supervision = AttemptSupervision(
            runner: self, stage: stage, recorder: recorder, channel: channel, child: child,
            processes: processes)
        return try await supervision.run()
    }

    private func launch(_ stage: AttemptStage) async throws -> ChildProcess {
        let command = try command(of: stage)
        try trust.check(lease)
        let child = try await ChildProcess.start(command)
        guard trust.guardProcesses(processes, of: lease.fence) else {
            child.signalGroup(SIGKILL)
            processes.kill()
            throw LeaseLoss.expired(lease, grant: trust.grant)
        }
        return child
    }

    private func command(of stage: AttemptStage) throws -> ChildProcess.Command {
        let ours = ProcessInfo.processInfo.environment
        let folder = folders.attempt(lease)
        let (output, errors) = (outputPath(stage), errorsPath(stage))
        switch stage {
        case .ranks:
            let launch = RankLaunch(
                launcher: configuration.launcher, program: configuration.rankProgram,
                ranks: assignment.rankCount, plan: planPath, temporary: folders.temporary(lease),
                sharedMemory: folders.sharedMemory(lease), mark: mark.value,
                extra: configuration.rankEnvironment)
            return ChildProcess.Command(
                launch.arguments, environment: launch.environment(from: ours), folder: folder,
                output: output, errors: errors)
        case .asking:
            guard !configuration.askingProgram.isEmpty else {
                throw InputError(
                    "this worker was given no program that asks models",
                    remedy: "Run the job on a worker of `flywheel worker`.")
            }
            // This program itself: it needs the database and the gateway as this process does.
            return ChildProcess.Command(
                configuration.askingProgram + [planPath],
                environment: ours.merging([AttemptMark.variable: mark.value]) { _, mark in mark },
                folder: folder, output: output, errors: errors)
        }
    }

    func outputPath(_ stage: AttemptStage) -> String {
        folders.attempt(lease) + (stage == .ranks ? "/output.log" : "/asking.log")
    }
    func errorsPath(_ stage: AttemptStage) -> String {
        folders.attempt(lease) + (stage == .ranks ? "/errors.log" : "/asking-errors.log")
    }

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

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
    let disk: DiskWatch
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
            log.info(
                "attempt ended", metadata: ["state": "\(state?.rawValue ?? "another's to say")"])
            if state?.isTerminal == true { folders.removeJob(lease.job) }
        } catch {
            // Whoever took the lease goes on from the last checkpoint.
            log.notice("attempt discarded", metadata: ["reason": "\(error)"])
        }
        processes.kill()
        trust.forget(lease.fence)
        folders.removeAttempt(lease)
    }

    /// The state that the job came to; nil for a part of a gang that another node leads.
    private func attempt() async throws -> JobState? {
        do {
            // Ready means that this worker has taken it up: it may now take its time over inputs.
            let leads = try await patience.callAgain("ready") {
                try await store.memberReady(lease, worker: trust.worker)
            }
            guard let plan = try await prepare() else { return try await end(.left) }
            guard leads else {
                try await member.run(as: trust.worker)
                return nil
            }
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
        let brought = try await unless(inbox.isInterrupted) {
            (try await resolver.inputs(of: assignment, in: folder), try await checkpoint())
        }
        if inbox.isRevoked { throw LeaseLoss.fenced(lease) }
        guard let (resolved, checkpoint) = brought, !inbox.isInterrupted else { return nil }
        var inputs = resolved
        if assignment.kind == JobKind.distill.rawValue {
            inputs.paths["items"] = try await writeItems()
            let labels = try await patience.callAgain("labels") {
                try await store.labels(like: lease)
            }
            for (index, digest) in labels.enumerated() {
                inputs.paths["labels-\(index)"] = try await resolver.rows(
                    digest, called: "labels-\(index)", in: folder, for: lease)
            }
        }
        let plan = RankPlan(
            lease: lease, specification: assignment.specification,
            threads: assignment.slotsPerRank, jobFolder: folder,
            checkpointFolder: folders.checkpoints(lease.job),
            attemptFolder: folders.attempt(lease), inputs: inputs.paths,
            titles: inputs.titles,
            checkpoint: checkpoint, socket: folders.socket(lease))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(plan).write(to: URL(fileURLWithPath: planPath), options: .atomic)
        return plan
    }

    /// The result of `body`; nil, and `body` is cancelled, once `condition` is true.
    private func unless<Output: Sendable>(
        _ condition: @autoclosure @escaping @Sendable () -> Bool,
        _ body: @escaping @Sendable () async throws -> Output
    ) async throws -> Output? {
        try await withThrowingTaskGroup(of: Output?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                while !condition() { try await Task.sleep(for: .milliseconds(100)) }
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    /// The newest checkpoint, as this node sees it: a folder that nodes share may be mounted elsewhere on
    /// the one that wrote it, and where they share none its file is brought here.
    private func checkpoint() async throws -> CheckpointRecord? {
        guard var checkpoint = assignment.checkpoint else { return nil }
        let folder = folders.checkpoints(lease.job)
        let name = URL(fileURLWithPath: checkpoint.path).lastPathComponent
        let here = "\(folder)/\(name)"
        if let carrier = configuration.carrier {
            if !FileManager.default.fileExists(atPath: here) {
                try await carrier.bring(checkpoint, for: lease, to: here)
            }
            // Those of attempts that went on elsewhere: nobody on this node will resume from them.
            for other in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            where other != name && other.hasPrefix("checkpoint-") {
                try? FileManager.default.removeItem(atPath: "\(folder)/\(other)")
            }
        }
        if FileManager.default.fileExists(atPath: here) { checkpoint.path = here }
        return checkpoint
    }

    /// What earlier attempts recorded of the job's prompts, in a file.
    private func writeItems() async throws -> String {
        let items = try await patience.callAgain("items") { try await store.items(of: lease) }
        let path = folders.attempt(lease) + "/items.json"
        try JSONEncoder().encode(items).write(to: URL(fileURLWithPath: path), options: .atomic)
        return path
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

    /// Whether ranks of other nodes belong to the gang.
    private var isSpread: Bool { assignment.rankCount < assignment.ranks }

    private var member: MemberRun {
        MemberRun(
            lease: lease, store: store, patience: patience, inbox: inbox,
            firstRank: assignment.firstRank, network: configuration.network ?? "",
            environment: rankLaunch(nil).environment(from: ProcessInfo.processInfo.environment),
            folder: folders.attempt(lease), node: configuration.node, processes: processes,
            shutdownPatience: configuration.shutdownPatience,
            start: { try await start($0) }, log: log)
    }

    private var assembly: GangAssembly {
        GangAssembly(
            lease: lease, store: store, patience: patience, inbox: inbox,
            folder: folders.temporary(lease), log: log)
    }

    private func supervise(
        _ plan: RankPlan, _ stage: AttemptStage
    ) async throws -> AttemptMonitor.Ending {
        guard stage == .ranks, isSpread else { return try await supervise(plan, stage, nil) }
        guard let parts = try await assembly.parts() else { return .left }
        let span = GangSpan(
            parts: parts, network: MPINetwork(configuration.network ?? ""),
            agent: try assembly.agent())
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await assembly.handOn(span) }
            defer { group.cancelAll() }
            return try await supervise(plan, stage, span)
        }
    }

    private func supervise(
        _ plan: RankPlan, _ stage: AttemptStage, _ span: GangSpan?
    ) async throws -> AttemptMonitor.Ending {
        let recorder = AttemptRecorder(
            store: store, patience: patience, folder: plan.checkpointFolder,
            checkpoint: plan.checkpoint, carrier: configuration.carrier)
        let channel = try RankChannel(path: plan.socket, isFull: { recorder.isFull }) { line in
            switch line {
            case .success(let event): inbox.post(.event(event))
            case .failure(let garbled):
                log.warning("not an event", metadata: ["line": "\(garbled.beginning)"])
            }
        }
        let child: ChildProcess
        do {
            child = try await start(try await command(of: stage, span))
        } catch {
            await channel.close()
            throw error
        }
        let supervision = AttemptSupervision(
            runner: self, stage: stage, recorder: recorder, channel: channel, child: child,
            processes: processes)
        return try await supervision.run()
    }

    /// Tells the other nodes of the gang that it is given up, and why.
    func tellStall() async {
        // Whatever comes of it, the ranks end: a store that is away must not keep them.
        try? await store.stalled(lease)
    }

    /// Until all other members have noted what their ranks do; the monitor has no more patience than it has.
    func waitForMembersToInspect() async {
        guard isSpread else { return }
        while !Task.isCancelled, !inbox.isRevoked {
            if let parts = try? await store.parts(of: lease),
                parts.dropFirst().allSatisfy(\.isInspected)
            {
                return
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Starts a command as one of the attempt's processes.
    private func start(_ command: ChildProcess.Command) async throws -> ChildProcess {
        try trust.check(lease)
        let child = try await ChildProcess.start(command)
        guard trust.guardProcesses(processes, of: lease.fence) else {
            child.signalGroup(SIGKILL)
            processes.kill()
            throw LeaseLoss.expired(lease, grant: trust.grant)
        }
        return child
    }

    private func rankLaunch(_ span: GangSpan?) -> RankLaunch {
        RankLaunch(
            launcher: configuration.launcher, program: configuration.rankProgram,
            ranks: assignment.ranks, plan: planPath, temporary: folders.temporary(lease),
            sharedMemory: folders.sharedMemory(lease), mark: mark.value,
            extra: configuration.rankEnvironment, span: span, isSpread: isSpread)
    }

    private func command(
        of stage: AttemptStage, _ span: GangSpan?
    ) async throws -> ChildProcess.Command {
        let own = ProcessInfo.processInfo.environment
        switch stage {
        case .ranks:
            let launch = rankLaunch(span)
            return command(stage, launch.arguments, launch.environment(from: own))
        case .labelling:
            let launch = try await askingLaunch(configuration.labelProgram)
            return command(stage, launch.arguments, launch.environment(from: own))
        case .judging:
            // What was asked before is in the database, for all jobs: this one looks there.
            let launch = try await askingLaunch(configuration.judgeProgram)
            return command(stage, launch.arguments, withDatabase(launch, own))
        case .building:
            let launch = try launch(configuration.buildProgram, key: nil)
            return command(stage, launch.arguments, withDatabase(launch, own))
        }
    }

    /// The environment of `launch`, with this worker's database and artifacts.
    private func withDatabase(
        _ launch: LabelLaunch, _ own: [String: String]
    ) -> [String: String] {
        let names = [
            "FLYWHEEL_DATABASE_URL", "FLYWHEEL_HOME", "FLYWHEEL_ARTIFACTS", "FLYWHEEL_CACHE",
        ]
        let database = own.filter { variable in
            names.contains(variable.key) || ["PG", "AWS_"].contains { variable.key.hasPrefix($0) }
        }
        return launch.environment(from: own).merging(database) { given, _ in given }
    }

    /// One process that asks models, with a key of the gateway's that ends with the attempt.
    private func askingLaunch(_ program: [String]) async throws -> LabelLaunch {
        let secret = GatewaySecret()
        try await patience.callAgain("lend a key") {
            try await store.lendKey(secret.hash, hint: secret.hint, for: lease)
        }
        return try launch(program, key: secret.text)
    }

    private func launch(_ program: [String], key: String?) throws(InputError) -> LabelLaunch {
        guard !program.isEmpty else {
            throw InputError(
                "this worker has no program for jobs of this kind",
                remedy: "Update the worker, and submit the job again.")
        }
        return LabelLaunch(
            program: program, plan: planPath, temporary: folders.temporary(lease),
            mark: mark.value, gateway: configuration.gateway, key: key,
            extra: configuration.rankEnvironment)
    }

    private func command(
        _ stage: AttemptStage, _ arguments: [String], _ environment: [String: String]
    ) -> ChildProcess.Command {
        ChildProcess.Command(
            arguments, environment: environment, folder: folders.attempt(lease),
            output: outputPath(stage), errors: errorsPath(stage))
    }

    func outputPath(_ stage: AttemptStage) -> String { "\(logs(stage))output.log" }
    func errorsPath(_ stage: AttemptStage) -> String { "\(logs(stage))errors.log" }

    /// Each stage has its own.
    private func logs(_ stage: AttemptStage) -> String {
        folders.attempt(lease) + (stage == .judging ? "/judging-" : "/")
    }

    /// Commits the ending, which may be asked for again if the answer is lost.
    private func end(_ ending: AttemptMonitor.Ending) async throws -> JobState {
        switch ending {
        case .left:
            return try await patience.callAgain("leave") { try await store.leave(lease) }
        case .failed(let found, let said):
            var (verdict, reason) = (found, said)
            if verdict == .failure, reason.contains("No space left on device") {
                // The work is not to blame, and may find room elsewhere.
                disk.foundFull()
                // Before the job is queued again, lest it come back here at once.
                if case .some(let word) = disk.news() {
                    try await patience.callAgain("trouble") {
                        try await store.report(trouble: word, of: trust.worker)
                    }
                    disk.told(word)
                }
                verdict = .loss
                reason = "a disk had no room: \(reason)"
            }
            log.warning(
                "attempt failed",
                metadata: ["verdict": "\(verdict.rawValue)", "reason": "\(reason)"])
            return try await patience.callAgain("fail") { [verdict, reason] in
                try await store.fail(lease, verdict, reason: LogTail.storable(reason))
            }
        case .done(let result):
            let outcome = try await unless(inbox.isRevoked) {
                try await taker.outcome(
                    of: assignment, result: result, attemptFolder: folders.attempt(lease))
            }
            guard let outcome else { throw LeaseLoss.fenced(lease) }
            return try await patience.callAgain("finish") {
                try await store.finish(lease, outcome: outcome)
            }
        }
    }
}

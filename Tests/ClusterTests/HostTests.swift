import FlywheelCore
import Foundation
import Glibc
import Jobs
import Postgres
import Processes
import TestSupport
import Testing

/// Whether drills that take minutes are asked for: `scripts/drill`.
private let isLong = ProcessInfo.processInfo.environment["FLYWHEEL_DRILLS"] == "all"

extension Drills {
    @Suite(.disabled(if: HostNetwork.obstacle != nil, "\(HostNetwork.obstacle ?? "")"))
    struct `Hosts that share nothing` {
        @Test
        func `a gang of hosts that share nothing goes on with the same bits, whoever is killed`()
            async throws
        {
            let expected = try await UndisturbedDigest.shared.value()
            try await Hosts.lend { hosts in
                try await hosts.withClient {
                    let job = try await hosts.cluster.submit(Lesson.training(ranks: 4))[0]
                    try await hosts.cluster.wait(for: job, toReach: 3)
                    let launch = try await hosts.launchSeconds(of: job, attempt: 1)
                    print(
                        "drill: launch of 4 ranks on 2 hosts | - | - | 0 | \(launch) | first start")
                    #expect(try await hosts.members(of: job) == ["a 0+2", "b 2+2"])
                    for (index, casualty) in Casualty.allCases.enumerated() {
                        try await hosts.cluster.wait(
                            for: job, toReach: 3, inAttempt: index + 1)
                        let moment = try await hosts.now()
                        try await hosts.strike(casualty, of: job)
                        _ = try await hosts.report(
                            "kill -9 of a \(casualty)", of: job, attempt: index + 1, since: moment)
                    }
                    try await hosts.killCoordinator(during: job)
                    try await hosts.killDatabase(during: job)
                    try await hosts.cluster.wait(for: job, toBe: "succeeded")
                    let ends = try await hosts.cluster.ends(of: job)
                    #expect(ends.last == "succeeded")
                    #expect(ends.dropLast().allSatisfy { $0 == "lost" }, "\(ends)")
                    #expect(try await hosts.cluster.digest(of: job) == expected)
                }
            }
        }

        @Test func `a host that is cut off or frozen is left behind, and comes back harmless`()
            async throws
        {
            let expected = try await UndisturbedDigest.shared.value()
            let (grant, grace) = isLong ? ("15 s", "5 s") : ("6 s", "2 s")
            try await Hosts.lend(grant: grant, grace: grace) { hosts in
                try await hosts.withClient {
                    let cluster = hosts.cluster
                    let job = try await cluster.submit(Lesson.training(ranks: 4, atLeast: 2))[0]
                    try await cluster.wait(for: job, toReach: 3)
                    var moment = try await hosts.now()
                    try hosts.network.pull("b")
                    let cut = try await hosts.report(
                        "cable pulled", of: job, attempt: 1, since: moment)
                    #expect(cut.reason.contains("lease was not renewed"), "\(cut)")
                    #expect(try await hosts.members(of: job) == ["a 0+2"])
                    // Its ranks ended by its own clock, before anybody could have them run twice.
                    #expect(try hosts.tree(on: "b").allSatisfy { $0.name != "flywheel-rank" })
                    try hosts.network.plug("b")
                    try await poll(for: "the host to be back") {
                        try await cluster.lives(on: "b")
                    } until: {
                        $0 == 2
                    }

                    try await cluster.wait(for: job, toReach: 3, inAttempt: 2)
                    let asleep = hosts.network.processes(on: "a")
                    moment = try await hosts.now()
                    for process in asleep { kill(process, SIGSTOP) }
                    _ = try await hosts.report("host frozen", of: job, attempt: 2, since: moment)
                    #expect(try await hosts.members(of: job) == ["b 0+2"])
                    let ranks = asleep.filter { ProcessEntry($0)?.name == "flywheel-rank" }
                    #expect(ranks.count == 2)
                    for process in asleep { kill(process, SIGCONT) }
                    try await poll(for: "the ranks that slept to end") {
                        ranks.compactMap { ProcessEntry($0) }
                    } until: {
                        $0.isEmpty
                    }
                    try await cluster.wait(for: job, toBe: "succeeded")
                    #expect(try await cluster.ends(of: job) == ["lost", "lost", "succeeded"])
                    #expect(try await cluster.digest(of: job) == expected)
                }
            }
        }

        @Test func `a rank that freezes is found by its silence, and its gang's stacks are kept`()
            async throws
        {
            let expected = try await UndisturbedDigest.shared.value()
            try await Hosts.lend { hosts in
                try await hosts.withClient {
                    let cluster = hosts.cluster
                    let job = try await cluster.submit(Lesson.training(ranks: 4))[0]
                    try await cluster.wait(for: job, toReach: 3)
                    let rank = try await hosts.process("flywheel-rank", on: "b")
                    let moment = try await hosts.now()
                    kill(rank.id, SIGSTOP)
                    let times = try await hosts.report(
                        "rank frozen", of: job, attempt: 1, since: moment)
                    #expect(times.reason.contains("no rank made progress"), "\(times)")
                    let logs = try await cluster.flywheel("jobs", "logs", "\(job)").output
                    for node in ["a", "b"] {
                        #expect(
                            logs.contains(
                                "(flywheel-rank) on node \(node) when the gang had stopped"),
                            "\(logs.prefix(3000))")
                    }
                    #expect(logs.contains(#/State:\s+[Tt]/#), "one of them is stopped")
                    #expect(ProcessEntry(rank.id) == nil, "the frozen rank is gone")
                    try await cluster.wait(for: job, toBe: "succeeded")
                    #expect(try await cluster.ends(of: job) == ["lost", "succeeded"])
                    #expect(try await cluster.digest(of: job) == expected)
                }
            }
        }

        @Test func `a host whose disk is full takes no more work until it has room`() async throws {
            let expected = try await UndisturbedDigest.shared.value()
            try await Hosts.lend(["a", "b", "c"], smallDisk: "a") { hosts in
                try await hosts.withClient {
                    let cluster = hosts.cluster
                    let job = try await cluster.submit(Lesson.training(ranks: 4))[0]
                    try await cluster.wait(for: job, toReach: 3)
                    #expect(try await hosts.members(of: job) == ["a 0+2", "b 2+2"])
                    let moment = try await hosts.now()
                    let filler = hosts.network.home(of: "a") + "/filler"
                    // Again and again, since checkpoints that are replaced make room.
                    let filling = Task {
                        while !Task.isCancelled {
                            fill(filler)
                            try? await Task.sleep(for: .milliseconds(20))
                        }
                    }
                    defer { filling.cancel() }
                    let times = try await hosts.report(
                        "disk of the leader full", of: job, attempt: 1, since: moment)
                    filling.cancel()
                    await filling.value
                    #expect(times.reason.contains("No space left on device"), "\(times)")
                    #expect(try await hosts.members(of: job) == ["b 0+2", "c 2+2"])
                    let node = try await hosts.node("a")
                    #expect(node.hasPrefix("draining: no room on the disk"), "\(node)")
                    try FileManager.default.removeItem(atPath: filler)
                    try await poll(for: "the host to be up again") {
                        try await hosts.node("a")
                    } until: {
                        $0.hasPrefix("up")
                    }
                    try await cluster.wait(for: job, toBe: "succeeded")
                    #expect(try await cluster.ends(of: job) == ["lost", "succeeded"])
                    #expect(try await cluster.digest(of: job) == expected)
                }
            }
        }

        /// Writes until no byte more goes in.
        private func fill(_ path: String) {
            let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
            defer { close(descriptor) }
            for size in [1 << 20, 1 << 12, 1] {
                let piece = [UInt8](repeating: 1, count: size)
                while unsafe write(descriptor, piece, size) > 0 {}
            }
        }

        @Test func `a line that loses and delays what it carries makes the same weights, later`()
            async throws
        {
            let steps = 30
            try await Hosts.lend { hosts in
                try await hosts.withClient {
                    let cluster = hosts.cluster
                    let alone = try await cluster.submit(
                        Lesson.training(ranks: 1, name: "alone", steps: steps))[0]
                    try await cluster.wait(for: alone, toBe: "succeeded")
                    let line = try await hosts.network.replaceCable(of: "b")
                    // The worker's connections did not survive the change of cables.
                    try line.set("delay 25 loss 1")
                    try await poll(for: "both hosts") {
                        try await [hosts.node("a"), hosts.node("b")]
                    } until: {
                        $0.allSatisfy { $0.hasPrefix("up") }
                    }
                    let job = try await cluster.submit(Lesson.training(ranks: 4, steps: steps))[0]
                    try await cluster.wait(for: job, toBe: "succeeded", atMost: .seconds(240))
                    #expect(try await hosts.members(of: job) == ["a 0+2", "b 2+2"])
                    let expected = try await cluster.digest(of: alone, steps: steps)
                    #expect(try await cluster.digest(of: job, steps: steps) == expected)
                    await line.end()
                }
            }
        }

        /// The wall clock of one host alone; clocks that measure how long something takes are not touched,
        /// nor does a namespace cover the wall clock, so a library stands between the worker and it.
        @Test(.enabled(if: isLong && Clock.library != nil, "only in scripts/drill, with faketime"))
        func `a clock that jumps on one host changes nothing`() async throws {
            let expected = try await UndisturbedDigest.shared.value()
            try await Hosts.lend(variables: ["b": Clock.variables]) { hosts in
                try await hosts.withClient {
                    let cluster = hosts.cluster
                    let job = try await cluster.submit(Lesson.training(ranks: 4))[0]
                    for (index, jump) in ["+3600", "-7200", "+0"].enumerated() {
                        try await cluster.wait(for: job, toReach: 10 + 40 * index)
                        try jump.write(
                            toFile: hosts.network.home(of: "b") + "/clock", atomically: false,
                            encoding: .utf8)
                    }
                    try await cluster.wait(for: job, toBe: "succeeded")
                    #expect(try await cluster.ends(of: job) == ["succeeded"])
                    #expect(try await cluster.digest(of: job) == expected)
                }
            }
        }

        @Test(.enabled(if: isLong, "only in scripts/drill"), arguments: Frozen.allCases)
        func `whoever freezes and wakes again, the job ends with the same bits`(
            frozen: Frozen
        ) async throws {
            let expected = try await UndisturbedDigest.shared.value()
            try await Hosts.lend { hosts in
                try await hosts.withClient {
                    let cluster = hosts.cluster
                    let job = try await cluster.submit(Lesson.training(ranks: 4))[0]
                    try await cluster.wait(for: job, toReach: 10)
                    let victim = try await hosts.victim(frozen)
                    kill(victim, SIGSTOP)
                    let began = ContinuousClock.now
                    try await Task.sleep(for: .seconds(frozen.seconds))
                    kill(victim, SIGCONT)
                    try await cluster.wait(for: job, toBe: "succeeded")
                    measured(
                        "\(frozen) frozen for \(frozen.seconds) s: the job's end", .now - began)
                    #expect(try await cluster.digest(of: job) == expected)
                }
            }
        }
    }
}

/// Who is killed during a training on two hosts, of which `a` leads.
private enum Casualty: String, CaseIterable {
    case rank, daemon, launcher, member, leader
}

/// Who stands still for a while.
enum Frozen: String, CaseIterable {
    case daemon, launcher, member, leader, coordinator, postgres

    /// Longer than a lease and its grace where that is what notices; shorter than trust where nothing should.
    var seconds: Int { self == .postgres ? 8 : 24 }
}

/// A wall clock that can be set for one process, by Debian's faketime.
private enum Clock {
    static let library: String? = {
        let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        return folders.map { $0 + "/faketime/libfaketime.so.1" }.first {
            FileManager.default.fileExists(atPath: $0)
        }
    }()

    /// `HOME` stands for the host's own folder.
    static let variables = [
        "LD_PRELOAD": library ?? "", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1",
        "FAKETIME_TIMESTAMP_FILE": "HOME/clock",
    ]
}

extension Hosts {
    /// Runs `body` while a client submits small jobs; then waits for every job's end, and reads the history.
    fileprivate func withClient(_ body: () async throws -> Void) async throws {
        let client = Client(database.pool)
        let submitting = Task { await client.run() }
        do {
            try await body()
        } catch {
            client.stop()
            await submitting.value
            throw error
        }
        client.stop()
        await submitting.value
        try await poll(for: "every job to end") {
            try await database.pool.values(
                "SELECT id || ' ' || state FROM flywheel.jobs WHERE finished_at IS NULL",
                as: String.self)
        } until: {
            $0.isEmpty
        }
        #expect(try await History.violations(database.pool) == [])
        #expect(try await client.lost(database.pool) == [])
        #expect(client.count > 0)
    }

    /// Who has which ranks in the newest attempt: `a 0+2`.
    fileprivate func members(of job: JobID) async throws -> [String] {
        try await database.pool.values(
            """
            SELECT format('%s %s+%s', node, first_rank, rank_count) FROM flywheel.gang_member
            WHERE fence = (SELECT max(fence) FROM flywheel.attempt WHERE job_id = \(job))
            ORDER BY first_rank
            """, as: String.self)
    }

    fileprivate func node(_ name: String) async throws -> String {
        try await database.pool.value(
            "SELECT state || ': ' || coalesce(reason, '') FROM flywheel.nodes WHERE name = \(name)")
    }

    fileprivate func strike(_ casualty: Casualty, of job: JobID) async throws {
        let leader = try await members(of: job)[0].prefix { $0 != " " }
        let (here, there) = leader == "a" ? ("a", "b") : ("b", "a")
        switch casualty {
        case .rank: kill(try await process("flywheel-rank", on: there).id, SIGKILL)
        case .daemon: kill(try await process("orted", on: there).id, SIGKILL)
        case .launcher: kill(try await process("mpirun", "orterun", on: here).id, SIGKILL)
        case .member, .leader:
            let host = casualty == .leader ? here : there
            let worker = try worker(on: host)
            worker.signal(SIGKILL)
            _ = await worker.exit()
            try await startWorker(on: host)
        }
    }

    /// Another coordinator leads, no attempt is lost, and the one that keeps the artifacts comes back.
    fileprivate func killCoordinator(during job: JobID) async throws {
        _ = try await startStandby(on: "b")
        let term: Int64 = try await database.pool.value("SELECT term FROM flywheel.leader")
        let attempts = try await cluster.ends(of: job).count
        let killed = ContinuousClock.now
        keeperProcess?.signal(SIGKILL)
        try await poll(for: "another to lead") {
            try await database.pool.value("SELECT term FROM flywheel.leader", as: Int64.self)
        } until: {
            $0 > term
        }
        print(
            "drill: kill -9 of the coordinator | - | - | \((.now - killed).inSeconds) | - | another leads"
        )
        try await startKeeper()
        #expect(try await cluster.ends(of: job).count == attempts, "no attempt was lost")
    }

    /// Back within trust, it costs no step.
    fileprivate func killDatabase(during job: JobID) async throws {
        let attempts = try await cluster.ends(of: job).count
        let killed = ContinuousClock.now
        await database.kill()
        try await database.launch()
        let outage = ContinuousClock.now - killed
        let step = try await cluster.standing(of: job).step
        try await poll(for: "a step after the outage") {
            try await cluster.standing(of: job)
        } until: {
            $0.step > step || $0.state == "succeeded"
        }
        print(
            "drill: kill -9 of PostgreSQL | - | - | \(outage.inSeconds) | \((.now - killed).inSeconds) | "
                + "away, then the next step recorded")
        // A machine that is busy with other things may take longer than trust lasts.
        if outage < .seconds(8) { #expect(try await cluster.ends(of: job).count == attempts) }
    }

    fileprivate func victim(_ frozen: Frozen) async throws -> pid_t {
        switch frozen {
        case .daemon: try await process("orted", on: "b").id
        case .launcher: try await process("mpirun", "orterun", on: "a").id
        case .member: try worker(on: "b").pid
        case .leader: try worker(on: "a").pid
        case .coordinator: try #require(keeperProcess).pid
        case .postgres: try #require(database.processID)
        }
    }
}

/// The rules of the queue as one value: what `migrations/` say in SQL of leases, fences, gangs, the reaper
/// and the leader, without a database, a clock or a network.
///
/// Times are milliseconds of the store's own clock. Each function is a transaction; one that would wait for a lock
/// says so by `isLocked`, and its caller tries again.
struct SimulatedStore {
    /// A rule that is left out, to see whether anybody notices.
    enum Plant: CaseIterable {
        case fenceTest
        case shareLock
        case freshIncarnation
        case term
    }

    struct Job {
        var ranks: ClosedRange<Int>
        var steps: Int
        var isQueued = true
        var isDone = false
        var fence = 0
        var attempts = 0
        var checkpoint = 0
        /// Transactions that have read its fence and not ended yet.
        var sharers = 0
    }

    struct Member: Equatable {
        var node: Int
        var incarnation: Int
        var slots: Int
        var isReady = false
    }

    struct Attempt {
        var job: Int
        var members: [Member]
        var hasStarted = false
        var launchDeadline: Int
    }

    struct Worker {
        var node: Int
        var leaseUntil: Int
        var isDead = false
    }

    struct Node {
        var slots: Int
        var free: Int
    }

    struct Assignment: Equatable {
        var job: Int
        var fence: Int
        var isLeader: Bool
        var step: Int
        var steps: Int
    }

    static let grant = 15_000
    static let grace = 5_000
    static let lead = 10_000
    static let launch = 60_000

    let plant: Plant?
    private(set) var jobs: [Job]
    private(set) var nodes: [Node]
    private(set) var workers: [Int: Worker] = [:]
    private(set) var attempts: [Int: Attempt] = [:]
    private(set) var term = 0
    private var leader: (holder: Int, until: Int)?
    private var lastFence = 0
    /// Rules that were broken, in the order in which they were.
    private(set) var violations: [String] = []

    init(jobs: [Job], nodes: [Node], plant: Plant?) {
        self.jobs = jobs
        self.nodes = nodes
        self.plant = plant
    }

    var isOver: Bool { jobs.allSatisfy(\.isDone) }

    // MARK: Workers

    /// Whether a worker's death would have to wait for somebody who writes for one of its jobs.
    func isLocked(_ incarnation: Int) -> Bool {
        held(by: incarnation).contains { isLocked(job: $0.value.job) }
    }

    func isLocked(job: Int) -> Bool { jobs[job].sharers > 0 }

    /// Other lives of this node that would die with a registration.
    func earlier(_ node: Int, than incarnation: Int) -> [Int] {
        workers.filter { $0.value.node == node && !$0.value.isDead && $0.key != incarnation }.keys
            .sorted()
    }

    mutating func register(_ incarnation: Int, node: Int, at now: Int) {
        for other in earlier(node, than: incarnation) { bury(other) }
        nodes[node].free = nodes[node].slots
        workers[incarnation] = Worker(node: node, leaseUntil: now + Self.grant)
        check()
    }

    /// Nil: dead.
    mutating func renew(_ incarnation: Int, at now: Int) -> (
        held: Set<Int>, assigned: [Assignment]
    )? {
        guard let worker = workers[incarnation], !worker.isDead, worker.leaseUntil > now else {
            return nil
        }
        workers[incarnation]?.leaseUntil = now + Self.grant
        let held = held(by: incarnation)
        let new = held.filter {
            $0.value.members.contains { $0.incarnation == incarnation && !$0.isReady }
        }
        return (Set(held.keys), new.keys.sorted().compactMap { assignment($0, of: incarnation) })
    }

    mutating func claim(for incarnation: Int, atMost: Int, at now: Int) -> [Assignment] {
        guard let worker = workers[incarnation], !worker.isDead, worker.leaseUntil > now else {
            return []
        }
        var claimed: [Assignment] = []
        for job in jobs.indices where jobs[job].isQueued && jobs[job].ranks.upperBound == 1 {
            if claimed.count >= atMost || nodes[worker.node].free == 0 { break }
            let fence = lease(
                job, [Member(node: worker.node, incarnation: incarnation, slots: 1)], at: now)
            if let one = assignment(fence, of: incarnation) { claimed.append(one) }
        }
        return claimed
    }

    /// The holder takes up its part; false: fenced.
    mutating func ready(_ fence: Int, _ incarnation: Int) -> Bool {
        guard
            let index = attempts[fence]?.members.firstIndex(where: { $0.incarnation == incarnation }
            )
        else { return false }
        attempts[fence]?.members[index].isReady = true
        return true
    }

    /// Nil: fenced; false: somebody is not ready.
    mutating func start(_ fence: Int) -> Bool? {
        guard let attempt = attempts[fence] else { return nil }
        guard attempt.members.allSatisfy(\.isReady) else { return false }
        attempts[fence]?.hasStarted = true
        return true
    }

    // MARK: Holders

    /// Reads a job's fence, and keeps it from changing until `commit`; false: fenced.
    mutating func begin(_ job: Int, _ fence: Int) -> Bool {
        guard isHeld(job, fence) else { return false }
        if plant != .shareLock { jobs[job].sharers += 1 }
        return true
    }

    /// Ends what `begin` began: a step, and perhaps a checkpoint, is there for all to see.
    mutating func commit(_ job: Int, _ fence: Int, step: Int, isCheckpoint: Bool) {
        if plant != .shareLock { jobs[job].sharers -= 1 }
        if jobs[job].fence != fence || jobs[job].isQueued {
            violations.append(
                "step \(step) of job \(job) was accepted under the old fence \(fence)")
        }
        if isCheckpoint { jobs[job].checkpoint = max(jobs[job].checkpoint, step) }
    }

    /// True also for an end that was said before; false: fenced.
    mutating func finish(_ job: Int, _ fence: Int) -> Bool {
        guard isHeld(job, fence) else { return jobs[job].isDone && jobs[job].fence == fence }
        if jobs[job].fence != fence {
            violations.append("job \(job) was finished under the old fence \(fence)")
        }
        close(jobs[job].fence)
        jobs[job].isDone = true
        check()
        return true
    }

    mutating func lose(_ job: Int, _ fence: Int) {
        guard isHeld(job, fence) else { return }
        if jobs[job].fence != fence {
            violations.append("job \(job) was lost under the old fence \(fence)")
        }
        requeue(job)
    }

    private func isHeld(_ job: Int, _ fence: Int) -> Bool {
        guard !jobs[job].isQueued, !jobs[job].isDone else { return false }
        return plant == .fenceTest || jobs[job].fence == fence
    }

    // MARK: Coordinators

    mutating func lead(_ holder: Int, at now: Int) -> Int? {
        if let leader, leader.holder != holder, leader.until >= now { return nil }
        if leader?.holder != holder || (leader?.until ?? 0) < now { term += 1 }
        leader = (holder, now + Self.lead)
        return term
    }

    func expired(at now: Int) -> [Int] {
        workers.filter { !$0.value.isDead && $0.value.leaseUntil + Self.grace < now }.keys.sorted()
    }

    /// False: another leads.
    mutating func reap(_ incarnation: Int, term: Int, at now: Int) -> Bool {
        guard leads(term) else { return false }
        if let worker = workers[incarnation], !worker.isDead, worker.leaseUntil + Self.grace < now {
            bury(incarnation)
            check()
        }
        return true
    }

    /// False: another leads.
    mutating func admit(_ job: Int, _ members: [Member], term: Int, at now: Int) -> Bool {
        guard leads(term) else { return false }
        let fits = members.allSatisfy { member in
            guard let worker = workers[member.incarnation] else { return false }
            return !worker.isDead && worker.leaseUntil > now
                && nodes[member.node].free >= member.slots
        }
        if jobs[job].isQueued, fits { _ = lease(job, members, at: now) }
        return true
    }

    /// Attempts that did not start in time are lost.
    mutating func giveUp(term: Int, at now: Int) -> Bool {
        guard leads(term) else { return false }
        for (fence, attempt) in attempts.sorted(by: { $0.key < $1.key })
        where !attempt.hasStarted && attempt.launchDeadline < now && !isLocked(job: attempt.job) {
            if jobs[attempt.job].fence == fence { requeue(attempt.job) }
        }
        return true
    }

    private mutating func leads(_ named: Int) -> Bool {
        if named == term { return true }
        guard plant == .term else { return false }
        violations.append("a write of term \(named) was accepted in term \(term)")
        return true
    }

    // MARK: Leases

    private func held(by incarnation: Int) -> [Int: Attempt] {
        attempts.filter { $0.value.members.contains { $0.incarnation == incarnation } }
    }

    private func assignment(_ fence: Int, of incarnation: Int) -> Assignment? {
        guard let attempt = attempts[fence] else { return nil }
        let job = jobs[attempt.job]
        return Assignment(
            job: attempt.job, fence: fence,
            isLeader: attempt.members.first?.incarnation == incarnation, step: job.checkpoint,
            steps: job.steps)
    }

    private mutating func lease(_ job: Int, _ members: [Member], at now: Int) -> Int {
        lastFence += 1
        for member in members { nodes[member.node].free -= member.slots }
        jobs[job].isQueued = false
        jobs[job].fence = lastFence
        jobs[job].attempts += 1
        attempts[lastFence] = Attempt(
            job: job, members: members, launchDeadline: now + Self.launch)
        check()
        return lastFence
    }

    private mutating func close(_ fence: Int) {
        for member in attempts.removeValue(forKey: fence)?.members ?? [] {
            nodes[member.node].free += member.slots
        }
    }

    private mutating func requeue(_ job: Int) {
        close(jobs[job].fence)
        lastFence += 1
        jobs[job].fence = lastFence
        jobs[job].isQueued = true
        check()
    }

    private mutating func bury(_ incarnation: Int) {
        workers[incarnation]?.isDead = true
        for (_, attempt) in held(by: incarnation).sorted(by: { $0.key < $1.key }) {
            requeue(attempt.job)
        }
    }

    private mutating func check() {
        for (index, node) in nodes.enumerated() {
            let taken = attempts.values.flatMap(\.members).filter { $0.node == index }.reduce(0) {
                $0 + $1.slots
            }
            if node.free < 0 || node.free + taken != node.slots {
                violations.append(
                    "node \(index): \(node.free) free and \(taken) taken of \(node.slots) slots")
            }
        }
        for (fence, attempt) in attempts where jobs[attempt.job].fence != fence {
            violations.append("job \(attempt.job) has two open attempts")
        }
    }
}

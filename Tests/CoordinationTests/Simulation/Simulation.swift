import Coordination
import Jobs
import TestSupport

/// A cluster of workers and coordinators around a store, in a world whose time, chance, network and processes are
/// this value: the same seed is the same run.
///
/// Workers decide by `LeaseKeeper`, coordinators by `LeadershipKeeper` and `GangPlanner`, the very values
/// that the services use. For a minute anything may be cut off, frozen or killed; then nothing is, and every job
/// has to end.
struct Simulation {
    typealias Action = (inout Simulation) -> Void

    struct Process {
        var job: Int
        var isLeader: Bool
        var step: Int
        var steps: Int
    }

    struct Worker {
        var life = 0
        var incarnation = 0
        var keeper: LeaseKeeper?
        var processes: [Int: Process] = [:]
    }

    struct Coordinator {
        var life = 0
        var keeper: LeadershipKeeper
        /// In a row, of questions that were not answered.
        var failures = 0
    }

    static let faultsUntil = 60_000
    static let patience = 400_000
    static let margin = 3_000
    static let epoch = ContinuousClock.now

    var store: SimulatedStore
    var now = 0
    var numbers: SeededNumbers
    var agenda = Agenda()
    var workers: [Worker]
    var coordinators: [Coordinator]
    var lastIncarnation = 0
    var storeIsOutUntil = 0
    /// By actor: workers first, then coordinators.
    var cutUntil: [Int]
    var frozenUntil: [Int]

    /// What was broken; empty: nothing was, and every job ended.
    static func run(seed: UInt64, plant: SimulatedStore.Plant? = nil) -> [String] {
        var simulation = Self(seed: seed, plant: plant)
        while let (at, action) = simulation.agenda.next(), at < patience {
            simulation.now = at
            action(&simulation)
            if simulation.store.isOver || !simulation.store.violations.isEmpty { break }
        }
        if simulation.store.violations.isEmpty, !simulation.store.isOver {
            let left = simulation.store.jobs.indices.filter { !simulation.store.jobs[$0].isDone }
            return ["jobs \(left) did not end"]
        }
        return simulation.store.violations
    }

    init(seed: UInt64, plant: SimulatedStore.Plant?) {
        numbers = SeededNumbers(seed: seed)
        let nodeCount = numbers.integer(in: 2..<5)
        var jobs: [SimulatedStore.Job] = []
        for _ in 0..<numbers.integer(in: 4..<14) {
            let most = numbers.integer(in: 0..<3) == 0 ? numbers.integer(in: 2..<5) : 1
            jobs.append(.init(ranks: min(most, 2)...most, steps: numbers.integer(in: 5..<60)))
        }
        store = SimulatedStore(
            jobs: jobs, nodes: (0..<nodeCount).map { _ in .init(slots: 2, free: 2) }, plant: plant)
        workers = (0..<nodeCount).map { _ in Worker() }
        coordinators = (0..<2).map { _ in
            Coordinator(keeper: LeadershipKeeper(timings: .init(), at: Self.epoch))
        }
        cutUntil = Array(repeating: 0, count: nodeCount + 2)
        frozenUntil = cutUntil
        for index in workers.indices { begin(worker: index) }
        for index in coordinators.indices { think(index, coordinators[index].life) }
        at(numbers.integer(in: 0..<3_000)) { $0.disturb() }
    }

    // MARK: Time, chance, network

    func instant(_ milliseconds: Int) -> ContinuousClock.Instant {
        Self.epoch + .milliseconds(milliseconds)
    }

    mutating func at(_ time: Int, _ action: @escaping Action) {
        agenda.add(max(time, now), action)
    }

    mutating func after(_ range: Range<Int>, _ action: @escaping Action) {
        at(now + numbers.integer(in: range), action)
    }

    mutating func isChance(_ one: Int) -> Bool { numbers.integer(in: 0..<one) == 0 }

    /// Asks the store, over a network that delays, and that loses questions and answers; nil: no answer came.
    mutating func ask<Answer>(
        _ actor: Int,
        _ question:
            @escaping (inout Simulation, @escaping (inout Simulation, Answer) -> Void) -> Void,
        then: @escaping (inout Simulation, Answer?) -> Void
    ) {
        let way = isChance(50) ? 1..<4_000 : 1..<20
        after(way) { world in
            if world.now < max(world.storeIsOutUntil, world.cutUntil[actor]) {
                world.after(900..<1_100) { then(&$0, nil) }
                return
            }
            question(&world) { world, answer in
                let isLost = world.now < Self.faultsUntil && world.isChance(100)
                let back = world.isChance(50) ? 1..<4_000 : 1..<20
                world.after(back) { world in
                    if isLost || world.now < world.cutUntil[actor] {
                        world.after(900..<1_100) { then(&$0, nil) }
                    } else {
                        then(&world, answer)
                    }
                }
            }
        }
    }

    mutating func transaction<Answer>(
        _ actor: Int, _ body: @escaping (inout SimulatedStore, Int) -> Answer,
        then: @escaping (inout Simulation, Answer?) -> Void
    ) {
        ask(actor, { world, answer in answer(&world, body(&world.store, world.now)) }, then: then)
    }

    /// A transaction that waits while somebody else holds what it wants.
    mutating func patient<Answer>(
        _ actor: Int, while isLocked: @escaping (SimulatedStore) -> Bool,
        _ body: @escaping (inout SimulatedStore, Int) -> Answer,
        then: @escaping (inout Simulation, Answer?) -> Void
    ) {
        ask(
            actor,
            { world, answer in world.wait(while: isLocked) { answer(&$0, body(&$0.store, $0.now)) }
            },
            then: then)
    }

    mutating func wait(
        while isLocked: @escaping (SimulatedStore) -> Bool, _ action: @escaping Action
    ) {
        guard isLocked(store) else { return action(&self) }
        after(1..<5) { $0.wait(while: isLocked, action) }
    }

    /// Runs when the actor's machine is awake, and only if it still lives the same life.
    mutating func wake(worker index: Int, _ life: Int, _ action: @escaping Action) {
        guard workers[index].life == life else { return }
        if now < frozenUntil[index] {
            return at(frozenUntil[index]) { $0.wake(worker: index, life, action) }
        }
        // What wakes looks at its clock first.
        if let keeper = workers[index].keeper, !keeper.isTrusted(at: instant(now)) {
            return begin(worker: index)
        }
        action(&self)
    }

    // MARK: Faults

    mutating func disturb() {
        guard now < Self.faultsUntil else { return }
        let actor = numbers.integer(in: 0..<cutUntil.count)
        let until = min(now + numbers.integer(in: 200..<40_000), Self.faultsUntil)
        switch numbers.integer(in: 0..<8) {
        case 0, 1: cutUntil[actor] = until
        case 2, 3: frozenUntil[actor] = until
        case 4: storeIsOutUntil = min(now + numbers.integer(in: 200..<12_000), Self.faultsUntil)
        case 5:
            if let fence = workers.randomElement(using: &numbers)?.processes.keys.min() {
                killAny(fence)
            }
        default: killActor(actor)
        }
        after(200..<4_000) { $0.disturb() }
    }

    mutating func killAny(_ fence: Int) {
        guard let index = workers.firstIndex(where: { $0.processes[fence] != nil }) else { return }
        let process = workers[index].processes[fence]
        kill(fence, on: index)
        // Its own worker sees it end.
        if let process, process.isLeader {
            tell(loss: process.job, fence, on: index, workers[index].life)
        }
    }

    mutating func killActor(_ actor: Int) {
        if actor < workers.count { return begin(worker: actor) }
        let index = actor - workers.count
        coordinators[index].life += 1
        coordinators[index].keeper = LeadershipKeeper(timings: .init(), at: instant(now))
        think(index, coordinators[index].life)
    }
}

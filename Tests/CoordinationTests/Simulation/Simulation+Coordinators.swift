import Coordination
import Foundation
import Jobs

// MARK: Coordinators

extension Simulation {
    mutating func wake(coordinator index: Int, _ life: Int, _ action: @escaping Action) {
        guard coordinators[index].life == life else { return }
        let until = frozenUntil[workers.count + index]
        if now < until { return at(until) { $0.wake(coordinator: index, life, action) } }
        action(&self)
    }

    mutating func think(_ index: Int, _ life: Int) {
        wake(coordinator: index, life) { world in
            switch world.coordinators[index].keeper.next(at: world.instant(world.now)) {
            case .wait(let until):
                let milliseconds = Int((until - world.instant(world.now)) / .milliseconds(1)) + 1
                world.at(world.now + milliseconds) { $0.think(index, life) }
            case .ask: world.askToLead(index, life)
            case .pass(let term, let mayReap): world.pass(index, life, Int(term), mayReap)
            }
        }
    }

    mutating func askToLead(_ index: Int, _ life: Int) {
        let asked = now
        let holder = index * 1_000 + life
        transaction(workers.count + index, { $0.lead(holder, at: $1) }) { world, answer in
            world.wake(coordinator: index, life) { world in
                let now = world.instant(world.now)
                guard case .some(let term) = answer else { return world.leaveAlone(index, life) }
                world.coordinators[index].failures = 0
                world.coordinators[index].keeper.answered(
                    term.map(Int64.init), askedAt: world.instant(asked), at: now)
                world.think(index, life)
            }
        }
    }

    /// Reads what is to be done, and does it one transaction after the other, however long each takes.
    mutating func pass(_ index: Int, _ life: Int, _ term: Int, _ mayReap: Bool) {
        let actor = workers.count + index
        transaction(actor, { ($0.expired(at: $1), $0) }) { world, seen in
            world.wake(coordinator: index, life) { world in
                guard let (dead, store) = seen else { return world.end(index, life, nil) }
                var orders:
                    [(locked: (SimulatedStore) -> Bool, (inout SimulatedStore, Int) -> Bool)] =
                        mayReap
                        ? dead.map { worker in
                            ({ $0.isLocked(worker) }, { $0.reap(worker, term: term, at: $1) })
                        } : []
                orders.append(({ _ in false }, { $0.giveUp(term: term, at: $1) }))
                for (job, members) in Self.plan(store) {
                    orders.append(({ _ in false }, { $0.admit(job, members, term: term, at: $1) }))
                }
                world.obey(orders[...], index, life, actor)
            }
        }
    }

    mutating func obey(
        _ orders: ArraySlice<
            (locked: (SimulatedStore) -> Bool, (inout SimulatedStore, Int) -> Bool)
        >,
        _ index: Int, _ life: Int, _ actor: Int
    ) {
        guard let order = orders.first else { return end(index, life, true) }
        patient(actor, while: order.locked, order.1) { world, isLeading in
            world.wake(coordinator: index, life) { world in
                if isLeading == true {
                    world.obey(orders.dropFirst(), index, life, actor)
                } else {
                    world.end(index, life, isLeading)
                }
            }
        }
    }

    mutating func end(_ index: Int, _ life: Int, _ isLeading: Bool?) {
        let now = instant(now)
        switch isLeading {
        case nil: return leaveAlone(index, life)
        case false?: coordinators[index].keeper.deposed(at: now)
        case true?: coordinators[index].keeper.passed(at: now)
        }
        coordinators[index].failures = 0
        think(index, life)
    }

    /// The keeper leaves the store alone for a while with some chance of its own in it; looked at when that is over
    /// in any case, the same seed stays the same run.
    mutating func leaveAlone(_ index: Int, _ life: Int) {
        coordinators[index].keeper.unreachable(at: instant(now))
        let pause = min(5_000, 200 << min(coordinators[index].failures, 8)) * 6 / 5 + 1
        coordinators[index].failures += 1
        at(now + pause) { $0.think(index, life) }
    }
}

extension Simulation {
    /// What the planner of the coordinator makes of the store as it was seen.
    static func plan(_ store: SimulatedStore) -> [(Int, [SimulatedStore.Member])] {
        let live = store.workers.filter { !$0.value.isDead }
        let nodes = live.sorted { $0.value.node < $1.value.node }.map { incarnation, worker in
            var node = anyNode
            node.name = "\(worker.node)"
            node.incarnation = uuid(incarnation)
            node.slots = store.nodes[worker.node].slots
            node.freeSlots = store.nodes[worker.node].free
            return node
        }
        let gangs = store.jobs.indices.filter {
            store.jobs[$0].isQueued && store.jobs[$0].ranks.upperBound > 1
        }
        let queue = gangs.map { index in
            var job = anyJob
            job.job = JobID(rawValue: Int64(index))
            job.ranksMin = store.jobs[index].ranks.lowerBound
            job.ranksMax = store.jobs[index].ranks.upperBound
            return job
        }
        if queue.isEmpty { return [] }
        return GangPlanner().plan(SchedulingSnapshot(queue: queue, nodes: nodes)).decisions
            .compactMap { decision in
                guard case .admit(let job, let members) = decision else { return nil }
                return (
                    Int(job.rawValue),
                    members.map { member in
                        .init(
                            node: Int(member.node) ?? 0, incarnation: number(member.incarnation),
                            slots: member.rankCount)
                    }
                )
            }
    }

    static let anyNode: SchedulingSnapshot.Node = decoded(
        """
        {"name": "", "incarnation": "\(UUID())", "slots": 0, "freeSlots": 0, "numericProfile": "p",
         "labels": {"\(GangMember.networkLabel)": "n"}}
        """)
    static let anyJob: SchedulingSnapshot.Waiting = decoded(
        """
        {"job": 0, "priority": 0, "ranksMin": 2, "ranksMax": 2, "slotsPerRank": 1, "labels": {}}
        """)

    static func decoded<Value: Decodable>(_ text: String) -> Value {
        do { return try JSONDecoder().decode(Value.self, from: Data(text.utf8)) } catch {
            preconditionFailure("\(error)")
        }
    }

    static func uuid(_ incarnation: Int) -> UUID {
        UUID(uuidString: String(format: "00000000-0000-0000-0000-%012d", incarnation)) ?? UUID()
    }

    static func number(_ incarnation: UUID) -> Int {
        Int(incarnation.uuidString.suffix(12)) ?? 0
    }
}

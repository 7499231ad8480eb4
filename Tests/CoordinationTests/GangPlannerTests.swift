import Coordination
import Foundation
import Jobs
import Testing

@Suite struct `The gang planner` {
    private static let incarnation = UUID()

    private func node(
        _ name: String, slots: Int, free: Int? = nil, labels: [String: String] = [:],
        profile: String = "p", network: String? = nil, reservedFor: Int64? = nil
    ) -> SchedulingSnapshot.Node {
        let labels = labels.merging(network.map { ["network": $0] } ?? [:]) { $1 }
        return snapshotValue(
            """
            {"name": "\(name)", "incarnation": "\(Self.incarnation)", "slots": \(slots),
             "freeSlots": \(free ?? slots), "labels": \(json(labels)),
             "numericProfile": "\(profile)"\(reservedFor.map { ", \"reservedFor\": \($0)" } ?? "")}
            """)
    }

    private func job(
        _ number: Int64, ranks: ClosedRange<Int>, slotsPerRank: Int = 1,
        labels: [String: String] = [:], profile: String? = nil, precision: String = "fp32",
        priority: Int = 0, tenant: String = "t", limits: [String] = [], seconds: Double? = nil
    ) -> SchedulingSnapshot.Waiting {
        var job: SchedulingSnapshot.Waiting = snapshotValue(
            """
            {"job": \(number), "priority": \(priority), "ranksMin": \(ranks.lowerBound),
             "ranksMax": \(ranks.upperBound), "slotsPerRank": \(slotsPerRank),
             "labels": \(json(labels)), "precision": "\(precision)"
             \(profile.map { ", \"numericProfile\": \"\($0)\"" } ?? "")}
            """)
        (job.tenant, job.limits, job.expectedSeconds) = (tenant, limits, seconds)
        return job
    }

    private func tenant(
        _ name: String, usage: Double, room: Int? = nil
    ) -> SchedulingSnapshot.Tenant {
        snapshotValue(
            """
            {"name": "\(name)", "share": 1, "usage": \(usage)\(room.map { ", \"room\": \($0)" } ?? "")}
            """)
    }

    /// A job on one node.
    private func running(
        _ number: Int64, on node: String, ranks: Int, upTo most: Int? = nil, priority: Int = 0,
        age: Double = 1_000, endsIn: Double? = nil, isLeaving: Bool = false
    ) -> SchedulingSnapshot.Running {
        snapshotValue(
            """
            {"job": \(number), "priority": \(priority), "ranks": \(ranks), "ranksMax": \(most ?? ranks),
             "slotsPerRank": 1, "labels": {}, "parts": [{"node": "\(node)", "slots": \(ranks)}],
             "isLeaving": \(isLeaving), "ageSeconds": \(age)\(endsIn.map { ", \"endsInSeconds\": \($0)" } ?? "")}
            """)
    }

    private func plan(
        _ queue: [SchedulingSnapshot.Waiting], on nodes: [SchedulingSnapshot.Node],
        running: [SchedulingSnapshot.Running], tenants: [SchedulingSnapshot.Tenant] = [],
        limits: [String: Int] = [:]
    ) -> [String] {
        short(
            GangPlanner().plan(
                SchedulingSnapshot(
                    queue: queue, nodes: nodes, running: running, tenants: tenants, limits: limits))
        )
    }

    private func json(_ labels: [String: String]) -> String {
        String(decoding: (try? JSONEncoder().encode(labels)) ?? Data(), as: UTF8.self)
    }

    private func snapshotValue<Value: Decodable>(_ text: String) -> Value {
        do { return try JSONDecoder().decode(Value.self, from: Data(text.utf8)) } catch {
            preconditionFailure("\(error)")
        }
    }

    private func plan(
        _ queue: [SchedulingSnapshot.Waiting], on nodes: [SchedulingSnapshot.Node]
    ) -> GangPlanner.Plan {
        GangPlanner().plan(SchedulingSnapshot(queue: queue, nodes: nodes))
    }

    /// A decision in short: `7 on a:0+2 b:2+1`, or `7 waits for a: <reason>`.
    private func short(_ plan: GangPlanner.Plan) -> [String] {
        plan.decisions.map { decision in
            switch decision {
            case .admit(let job, let members):
                let parts = members.map { "\($0.node):\($0.firstRank)+\($0.rankCount)" }
                return "\(job) on \(parts.joined(separator: " "))"
            case .wait(let job, let reason, let reservation):
                let kept = reservation.nodes.joined(separator: " ")
                return "\(job) waits for [\(kept)]: \(reason)"
            case .preempt(let job, let other):
                return "\(job) leaves for \(other.map(\.description) ?? "more ranks")"
            }
        }
    }

    @Test func `a gang gets as many ranks as fit, up to its maximum`() {
        #expect(short(plan([job(1, ranks: 1...4)], on: [node("a", slots: 8)])) == ["1 on a:0+4"])
        #expect(
            short(plan([job(1, ranks: 1...4)], on: [node("a", slots: 8, free: 3)]))
                == ["1 on a:0+3"])
        #expect(
            short(plan([job(1, ranks: 2...4, slotsPerRank: 2)], on: [node("a", slots: 5)]))
                == ["1 on a:0+2"])
    }

    @Test func `more ranks go before fewer nodes, fewer nodes before freer ones`() {
        let nodes = [node("a", slots: 2, network: "n"), node("b", slots: 3, network: "n")]
        #expect(short(plan([job(1, ranks: 2...4)], on: nodes)) == ["1 on b:0+3 a:3+1"])
        #expect(short(plan([job(1, ranks: 2...3)], on: nodes)) == ["1 on b:0+3"])
        let equal = [node("a", slots: 4, network: "n"), node("b", slots: 8, network: "n")]
        #expect(short(plan([job(1, ranks: 2...4)], on: equal)) == ["1 on b:0+4"])
    }

    @Test func `a gang spans only nodes that share a network`() {
        func waits(_ networks: String?...) -> [String] {
            let nodes = zip(["a", "b", "c"], networks).map {
                node($0, slots: 2, network: $1)
            }
            return short(plan([job(1, ranks: 4...4)], on: nodes))
        }
        #expect(
            waits(nil, nil) == [
                "1 waits for []: needs 4 slots on one node; the largest node that suits, a, has 2"
            ])
        #expect(
            waits("m", "n").first?.hasPrefix("1 waits for []: needs 4 slots on one node") == true)
        #expect(waits("n", nil, "n") == ["1 on a:0+2 c:2+2"])
        #expect(
            short(
                plan(
                    [job(1, ranks: 5...8)],
                    on: [
                        node("a", slots: 2, network: "n"), node("b", slots: 2, network: "n"),
                        node("c", slots: 3),
                    ])) == [
                    "1 waits for []: needs 5 slots on one network; the most that suit, nodes a, b, have 4"
                ])
    }

    @Test func `a gang that does not fit says what is missing and keeps the node where it will`() {
        let nodes = [node("a", slots: 4, free: 3), node("b", slots: 4, free: 1)]
        #expect(
            short(plan([job(1, ranks: 4...4)], on: nodes)) == [
                """
                1 waits for [a]: needs 4 slots on one node; 3 are free on node a, 1 is free on node b
                """
            ])
    }

    @Test func `nothing behind the first gang that waits starts on the nodes kept for it`() {
        let nodes = [node("a", slots: 4, free: 3), node("b", slots: 2)]
        let queue = [job(1, ranks: 4...4), job(2, ranks: 2...3), job(3, ranks: 2...2)]
        #expect(
            short(plan(queue, on: nodes)) == [
                """
                1 waits for [a]: needs 4 slots on one node; 3 are free on node a, 2 are free on node b
                """,
                "2 on b:0+2",
                """
                3 waits for []: needs 2 slots on one node; 3 are free on node a, which is kept for \
                job 1, 0 are free on node b
                """,
            ])
    }

    @Test func `a gang that no empty node could hold keeps nothing from others`() {
        let queue = [job(1, ranks: 9...9), job(2, ranks: 2...2)]
        #expect(short(plan(queue, on: [node("a", slots: 4)])).last == "2 on a:0+2")
    }

    @Test func `a reservation stays where it is while it suffices`() {
        let nodes = [
            node("a", slots: 4, free: 1, reservedFor: 1), node("b", slots: 4, free: 3),
        ]
        #expect(
            short(plan([job(1, ranks: 4...4)], on: nodes)).first?.hasPrefix("1 waits for [a]")
                == true)
    }

    @Test func `nodes kept for a job that no longer waits are released`() {
        let nodes = [node("a", slots: 4, reservedFor: 9), node("b", slots: 4, reservedFor: 2)]
        #expect(plan([job(2, ranks: 1...1)], on: nodes).releases == [JobID(rawValue: 9)])
    }

    @Test func `a job runs where its precision is offered, and stays with its profile`() {
        let nodes = [
            node("a", slots: 2, profile: "fp32 p"), node("b", slots: 2, profile: "fp32 p; bf16 q"),
            node("c", slots: 2, profile: "fp32 p; bf16 r"),
        ]
        #expect(
            short(plan([job(1, ranks: 2...2, precision: "bf16")], on: nodes)) == ["1 on b:0+2"])
        #expect(
            short(plan([job(1, ranks: 2...2, profile: "bf16 r", precision: "auto")], on: nodes))
                == ["1 on c:0+2"])
        #expect(
            short(plan([job(1, ranks: 2...2, profile: "fp32 p", precision: "auto")], on: nodes))
                == ["1 on a:0+2"])
        let waits = short(plan([job(1, ranks: 2...2, precision: "bf16")], on: [nodes[0]]))
        #expect(waits.count == 1 && waits[0].contains("no node computes in bf16"))
    }

    @Test func `a gang never mixes numeric profiles`() {
        let nodes = [
            node("a", slots: 2, profile: "p", network: "n"),
            node("b", slots: 3, profile: "q", network: "n"),
        ]
        #expect(short(plan([job(1, ranks: 2...5)], on: nodes)) == ["1 on b:0+3"])
        #expect(
            short(plan([job(1, ranks: 2...5, profile: "p")], on: nodes)) == ["1 on a:0+2"])
        #expect(
            short(plan([job(1, ranks: 2...5, profile: "r")], on: nodes)) == [
                "1 waits for []: no node has the numeric profile r with which this job began"
            ])
    }

    @Test func `labels must all be there`() {
        let nodes = [
            node("a", slots: 4), node("b", slots: 2, labels: ["disk": "nvme", "zone": "x"]),
        ]
        #expect(
            short(plan([job(1, ranks: 1...4, labels: ["disk": "nvme"])], on: nodes))
                == ["1 on b:0+2"])
        #expect(
            short(plan([job(1, ranks: 1...4, labels: ["disk": "ssd", "zone": "x"])], on: nodes))
                == ["1 waits for []: no node is labelled disk=ssd, zone=x"])
    }

    @Test func `without workers a gang says so`() {
        #expect(short(plan([job(1, ranks: 1...4)], on: [])) == ["1 waits for []: no worker is up"])
    }

    @Test func `slots given to one gang are not given to the next`() {
        let queue = [job(1, ranks: 2...2), job(2, ranks: 2...2), job(3, ranks: 1...1)]
        #expect(
            short(plan(queue, on: [node("a", slots: 4)])) == [
                "1 on a:0+2", "2 on a:0+2",
                "3 waits for [a]: needs 1 slot on one node; 0 are free on node a",
            ])
    }

    @Test func `what ends before the one that waits will start may run on its nodes`() {
        let nodes = [node("a", slots: 4, free: 2)]
        let queue = [
            job(1, ranks: 4...4), job(2, ranks: 1...1, seconds: 101), job(3, ranks: 1...1),
            job(4, ranks: 1...1, seconds: 99),
        ]
        let inTheWay = running(9, on: "a", ranks: 2, endsIn: 100)
        let decisions = plan(queue, on: nodes, running: [inTheWay])
        #expect(decisions.filter { $0.contains(" on ") && !$0.contains("waits") } == ["4 on a:0+1"])
        // Of what nobody knows the end, nobody knows what comes after.
        let unknown = plan(queue, on: nodes, running: [running(9, on: "a", ranks: 2)])
        #expect(unknown.allSatisfy { $0.contains("waits") })
    }

    @Test func `a gang of higher priority sends away the least that stands in its way`() {
        let nodes = [node("a", slots: 4, free: 0), node("b", slots: 2)]
        let gangs = [
            running(5, on: "a", ranks: 1, priority: 2, age: 5),
            running(6, on: "a", ranks: 1, age: 50),
            running(7, on: "a", ranks: 2, age: 10),
        ]
        func leaving(_ queue: [SchedulingSnapshot.Waiting]) -> [String] {
            plan(queue, on: nodes, running: gangs).filter { $0.contains("leaves") }
        }
        #expect(
            leaving([job(1, ranks: 3...4, priority: 1)])
                == ["6 leaves for 1", "7 leaves for 1"].reversed())
        // The younger one of two slots suffices, and the older goes on.
        let four = [node("a", slots: 4, free: 2)]
        #expect(
            plan(
                [job(1, ranks: 3...4, priority: 1)], on: four,
                running: [
                    running(6, on: "a", ranks: 1, age: 10), running(7, on: "a", ranks: 1, age: 50),
                ]
            ).filter { $0.contains("leaves") } == ["6 leaves for 1"])
        // All of lower priority together would not be enough: nobody loses anything for it.
        #expect(leaving([job(1, ranks: 4...4, priority: 1)]).isEmpty)
        #expect(leaving([job(1, ranks: 4...4, priority: 3)]).count == 3)
        #expect(leaving([job(1, ranks: 3...4)]).isEmpty)
    }

    @Test func `nobody else is sent away while enough are on their way`() {
        let nodes = [node("a", slots: 4, free: 0, reservedFor: 1)]
        let gangs = [
            running(6, on: "a", ranks: 2, isLeaving: true), running(7, on: "a", ranks: 2),
        ]
        func leaving(_ ranks: Int) -> [String] {
            plan([job(1, ranks: ranks...ranks, priority: 1)], on: nodes, running: gangs)
                .filter { $0.contains("leaves") }
        }
        #expect(leaving(2).isEmpty)
        #expect(leaving(3) == ["7 leaves for 1"])
    }

    @Test func `a gang grows where nobody waits and the rest of its way is long`() {
        let nodes = [node("a", slots: 4, free: 2)]
        func grown(_ gang: SchedulingSnapshot.Running, _ queue: [SchedulingSnapshot.Waiting] = [])
            -> [String]
        { plan(queue, on: nodes, running: [gang]) }
        let long = running(5, on: "a", ranks: 2, upTo: 4, endsIn: 1_000)
        #expect(grown(long) == ["5 leaves for more ranks"])
        #expect(grown(running(5, on: "a", ranks: 2, upTo: 4, endsIn: 200)).isEmpty)
        #expect(grown(running(5, on: "a", ranks: 2, upTo: 4)).isEmpty)
        #expect(grown(running(5, on: "a", ranks: 2, upTo: 2, endsIn: 1_000)).isEmpty)
        #expect(grown(running(5, on: "a", ranks: 2, upTo: 4, age: 30, endsIn: 1_000)).isEmpty)
        #expect(grown(long, [job(1, ranks: 9...9)]).allSatisfy { !$0.contains("more ranks") })
        #expect(grown(long, [job(1, ranks: 2...2)]) == ["1 on a:0+2"])
    }

    @Test func `tenants take turns by what they used of their share, within a priority`() {
        let tenants = [
            tenant("much", usage: 2_000), tenant("little", usage: 100),
        ]
        let queue = [
            job(1, ranks: 2...2, priority: 1, tenant: "much"), job(2, ranks: 2...2, tenant: "much"),
            job(3, ranks: 2...2, tenant: "little"), job(4, ranks: 2...2, tenant: "little"),
        ]
        let order = plan(queue, on: [node("a", slots: 8)], running: [], tenants: tenants)
        #expect(order == ["1 on a:0+2", "3 on a:0+2", "4 on a:0+2", "2 on a:0+2"])
    }

    @Test func `limits and caps hold within one pass, and say so`() {
        let tenants = [tenant("t", usage: 0, room: 3)]
        let queue = [
            job(1, ranks: 1...1, limits: ["x"]), job(2, ranks: 1...1, limits: ["x"]),
            job(3, ranks: 1...4), job(4, ranks: 1...1),
        ]
        #expect(
            plan(queue, on: [node("a", slots: 8)], running: [], tenants: tenants, limits: ["x": 1])
                == [
                    "1 on a:0+1", "2 waits for []: a place under the limit `x`: all are taken",
                    "3 on a:0+2",
                    "4 waits for []: slots of its tenant `t`: it needs 1, and 0 are left under its cap",
                ])
    }
}

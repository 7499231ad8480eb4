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
        labels: [String: String] = [:], profile: String? = nil, precision: String = "fp32"
    ) -> SchedulingSnapshot.Waiting {
        snapshotValue(
            """
            {"job": \(number), "priority": 0, "ranksMin": \(ranks.lowerBound),
             "ranksMax": \(ranks.upperBound), "slotsPerRank": \(slotsPerRank),
             "labels": \(json(labels)), "precision": "\(precision)"
             \(profile.map { ", \"numericProfile\": \"\($0)\"" } ?? "")}
            """)
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
            case .wait(let job, let reason, let nodes):
                return "\(job) waits for [\(nodes.joined(separator: " "))]: \(reason)"
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
}

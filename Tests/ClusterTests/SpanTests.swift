import FlywheelCore
import Foundation
import Glibc
import Jobs
import Postgres
import Processes
import TestSupport
import Testing

extension Drills {
    @Suite struct Spans {
        private enum Casualty: String, CaseIterable {
            case rank, daemon, launcher, member, leader
        }

        @Test func `ranks on two nodes make the weights that one rank makes`() async throws {
            let expected = try await UndisturbedDigest.shared.value()
            try await Cluster.lend(grant: "15 s") { cluster in
                _ = try await cluster.startCoordinator()
                _ = try await cluster.startNeighbour("a")
                _ = try await cluster.startNeighbour("b")
                let job = try await cluster.submit(Lesson.training(ranks: 2))[0]
                try await cluster.wait(for: job, toBe: "succeeded")
                #expect(try await cluster.ends(of: job) == ["succeeded"])
                #expect(try await cluster.digest(of: job) == expected)
                let nodes = try await cluster.pool.values(
                    "SELECT node FROM flywheel.gang_member ORDER BY first_rank", as: String.self)
                #expect(nodes == ["a", "b"])
            }
        }

        @Test(arguments: Casualty.allCases)
        private func `a gang of two nodes that loses anybody goes on with the same bits`(
            casualty: Casualty
        ) async throws {
            let expected = try await UndisturbedDigest.shared.value()
            var numbers = SeededNumbers(seed: UInt64.random(in: 0..<1_000_000))
            print("\(casualty): \(numbers)")
            try await Cluster.lend(grant: "3 s") { cluster in
                _ = try await cluster.startCoordinator()
                let leader = try await cluster.startNeighbour("a")
                let member = try await cluster.startNeighbour("b")
                let job = try await cluster.submit(Lesson.training(ranks: 2))[0]
                let step = numbers.integer(in: 5..<Lesson.steps - 100)
                try await cluster.wait(for: job, toReach: step)
                let killed = ContinuousClock.now
                let (node, tree) =
                    switch casualty {
                    case .rank, .daemon, .member: ("b", ProcessEntry.tree(of: member.pid))
                    case .launcher, .leader: ("a", ProcessEntry.tree(of: leader.pid))
                    }
                let doomed = tree.first { entry in
                    switch casualty {
                    case .rank: entry.name == "flywheel-rank"
                    case .daemon: entry.name == "orted"
                    case .launcher: ["mpirun", "orterun"].contains(entry.name)
                    case .member, .leader: true
                    }
                }
                kill(try #require(doomed, "no \(casualty) among \(tree), \(numbers)").id, SIGKILL)
                if [.member, .leader].contains(casualty) {
                    _ = try await cluster.startNeighbour(node)
                }
                try await cluster.expectLoss(
                    of: job, attempt: 1, since: killed, "\(casualty) on \(node), \(numbers)")
                try await cluster.wait(for: job, toBe: "succeeded")
                #expect(try await cluster.ends(of: job) == ["lost", "succeeded"], "\(numbers)")
                #expect(try await cluster.digest(of: job) == expected, "\(numbers)")
            }
        }

        @Test func `a node that is told to end lets its gang leave at a checkpoint`() async throws {
            let expected = try await UndisturbedDigest.shared.value()
            try await Cluster.lend(grant: "3 s") { cluster in
                _ = try await cluster.startCoordinator()
                _ = try await cluster.startNeighbour("a")
                let member = try await cluster.startNeighbour("b")
                let job = try await cluster.submit(Lesson.training(ranks: 2))[0]
                try await cluster.wait(for: job, toReach: 40)
                member.signal(SIGTERM)
                #expect(await member.exit() == .exited(0))
                _ = try await cluster.startNeighbour("b")
                try await cluster.wait(for: job, toBe: "succeeded")
                let ends = try await cluster.ends(of: job)
                #expect(ends == ["preempted", "succeeded"])
                #expect(try await cluster.digest(of: job) == expected)
            }
        }
    }
}

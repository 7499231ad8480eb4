import Collectives
import FlywheelCore
import Foundation
import Jobs
import Tensors

/// What every kind of work has: the plan, the other ranks, and, on rank 0, the worker.
final class Gang {
    let plan: RankPlan
    let specification: JobSpecification
    let world: any Communicator
    private let link: WorkerLink?

    /// Reads the plan and, on rank 0, connects to the worker.
    init(_ world: any Communicator, planAt path: String) throws {
        self.world = world
        // Without a plan there is no worker to tell; the exit status says it.
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            plan = try JSONDecoder().decode(RankPlan.self, from: data)
        } catch {
            throw InputError(
                file: path, "the plan cannot be read: \(error)",
                remedy: "Nothing was done. The plan is written by the worker of the same version.")
        }
        link = world.rank == 0 ? try WorkerLink(to: plan.socket) : nil
        let plan = plan
        specification = try Self.together(world, link) {
            try JobSpecification(json: plan.specification)
        }
    }

    /// Does what the specification says, and tells the worker how it ended.
    func work() throws {
        do {
            switch specification {
            case .train(let train): try TrainJob(train, self).run()
            case .evaluate(let evaluate): try EvaluateJob(evaluate, self).run()
            case .distill(let distill): try DistillJob(distill, self).run()
            case .judge, .build:
                throw InputError(
                    field: "kind", "no rank works on a job of kind \(specification.kind.rawValue)",
                    remedy: "The worker and its ranks are of different versions: install one.")
            }
        } catch let error as CollectiveError {
            throw error
        } catch let error as RankFailure {
            throw error
        } catch let error as WorkerLink.Lost {
            throw error
        } catch {
            try report(
                .failed(reason: RankFailure(error).reason, isInput: RankFailure(error).isInput))
            throw error
        }
    }

    /// Tells the worker; on other ranks than 0, nobody.
    func report(_ event: RankEvent) throws { try link?.send(event) }

    /// What the worker asks for, if it has asked.
    var request: RankRequest? { link?.request }

    /// What rank 0 was asked for, on every rank; a collective call.
    func agreedRequest() throws -> RankRequest? {
        let asked = world.rank == 0 ? request.map { Array($0.rawValue.utf8) } ?? [] : []
        let told = try world.broadcast(asked, from: 0)
        return RankRequest(rawValue: String(decoding: told, as: UTF8.self))
    }

    /// Runs `body` on every rank, and throws on all of them what it threw on any.
    ///
    /// `body` may make no collective call.
    func together<Output>(_ body: () throws -> Output) throws -> Output {
        try Self.together(world, link, body)
    }

    /// Makes sure that all ranks compute under one profile: what their nodes promised may have changed.
    func agree(on profile: NumericProfile) throws {
        let all = Set(try world.gather(Array(profile.name.utf8)))
        try together {
            guard world.rank == 0, all.count > 1 else { return }
            throw ProfilesDiffer(names: all.map { String(decoding: $0, as: UTF8.self) }.sorted())
        }
    }

    private struct ProfilesDiffer: Error, CustomStringConvertible {
        let names: [String]

        var description: String {
            """
            the ranks would compute under different numeric profiles, and bits would differ: \
            \(names.joined(separator: "; ")). Nothing was done. Install the same oneDNN on all nodes, or \
            write `precision: fp32`.
            """
        }
    }

    private static func together<Output>(
        _ world: any Communicator, _ link: WorkerLink?, _ body: () throws -> Output
    ) throws -> Output {
        let result = Result { try body() }
        var mine: [UInt8] = []
        if case .failure(let error) = result {
            mine = Array(try JSONEncoder().encode(RankFailure(error)))
        }
        let first = try world.gather(mine).first { !$0.isEmpty } ?? []
        let verdict = try world.broadcast(first, from: 0)
        guard verdict.isEmpty else {
            let failure = try JSONDecoder().decode(RankFailure.self, from: Data(verdict))
            try link?.send(.failed(reason: failure.reason, isInput: failure.isInput))
            throw failure
        }
        return try result.get()
    }
}

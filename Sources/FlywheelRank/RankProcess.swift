import Collectives
import CollectivesMPI
import FlywheelCore
import Foundation
import Jobs
import Training

/// A rank from its first instruction to its exit status.
///
/// 0: done, or left as asked. 65: the specification or the data cannot be used. 1: the work failed.
/// Death by signal: the gang was lost through no fault of the work, and may try again.
enum RankProcess {
    /// Ties this process to the one that started it.
    static func prepare() {
        MPIWorld.dieWithParent()
        // A worker that goes away is seen as a failed write.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Runs the plan in the file at `path`, and reports how it ended.
    static func run(planAt path: String) -> Int32 {
        let world: MPIWorld
        do {
            world = try MPIWorld()
        } catch {
            log("\(error)", rank: -1)
            return 1
        }
        do {
            let gang = try Gang(world, planAt: path)
            try gang.work()
            try world.finalize()
            return 0
        } catch let error as RankFailure {
            // All ranks agreed to end, so they leave in order.
            if world.rank == 0 { log(error.reason, rank: 0) }
            try? world.finalize()
            return error.isInput ? 65 : 1
        } catch let error as CollectiveError {
            lose(error, world)
        } catch let error as WorkerLink.Lost {
            lose(error, world)
        } catch {
            // Rank 0 has told its worker; when it ends, mpirun ends the others. They wait for that,
            // lest their end be taken for the reason.
            log("\(error)", rank: world.rank)
            if world.rank != 0 { sleep(10) }
            return RankFailure(error).isInput ? 65 : 1
        }
    }

    /// Ends by a signal, so that mpirun and the worker count a loss rather than a failure.
    private static func lose(_ error: any Error, _ world: MPIWorld) -> Never {
        log("\(error)", rank: world.rank)
        kill(getpid(), SIGKILL)
        fatalError("survived SIGKILL")
    }

    private static func log(_ message: String, rank: Int) {
        FileHandle.standardError.write(Data("rank \(rank): \(message)\n".utf8))
    }
}

/// Why the work ends without success, in a form that ranks can tell each other.
struct RankFailure: Error, Codable {
    var reason: String
    var isInput: Bool

    init(_ error: any Error) {
        switch error {
        case let failure as RankFailure: self = failure
        case let input as InputError:
            reason = "\(input)"
            isInput = true
        case let training as TrainingError:
            reason = "\(training)"
            // The same data at the same rate diverge again.
            isInput =
                switch training {
                case .diverged, .validationDiverged, .reference: true
                case .ranksDisagree, .checkpoint: false
                }
        default:
            reason = "\(error)"
            isInput = false
        }
    }
}

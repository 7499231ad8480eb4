// One rank of one attempt: `flywheel-rank PLAN.json`, started by mpirun.
import Foundation

RankProcess.prepare()
guard CommandLine.arguments.count == 2 else {
    FileHandle.standardError.write(
        Data("usage: flywheel-rank PLAN.json, as one of the processes that mpirun starts\n".utf8))
    exit(64)
}
exit(RankProcess.run(planAt: CommandLine.arguments[1]))

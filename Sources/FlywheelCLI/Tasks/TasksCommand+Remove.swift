import ArgumentParser
import FlywheelCore
import Foundation
import Stores

extension TasksCommand {
    struct Remove: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a task out: nobody can call it any more.",
            discussion: """
                Not while a turn of it goes on. Its captures stay, as long as calls of no task do, and so \
                do its versions, golden sets, datasets and models; a server that only it needed stops when \
                nobody asks. `flywheel tasks apply` brings it back, answered by its generalist.
                """)
        @Argument(help: "The task.") var task: String
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            // For the sentence that knows names that resemble it.
            _ = try await database.tasks.requiredTask(task)
            let removed = try await database.tasks.remove(task, author: NSUserName())
            output.print(removed) {
                let route = removed["route"]
                let model =
                    (route?["upstream"]?.string.map { $0 + "/" } ?? "")
                    + (route?.cell("model") ?? "")
                Swift.print(
                    "\(task) is taken out: \(model) answers it no more, and calls of it are refused. Its "
                        + "captures, datasets and models stay.")
            }
        }
    }
}

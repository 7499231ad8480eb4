import ArgumentParser
import Stores
import Tasks

extension TasksCommand {
    struct Report: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say whether a task is worth a model of your own.",
            discussion: """
                Traffic, latency and errors of each model that answered (view task_traffic); what people \
                said (task_opinions, task_agreement); golden scorecards with their intervals (scorecards); what \
                1,000 calls cost and what that saved (costs); how narrow the answers are (answer_spread). \
                At the end a sentence with the numbers that it rests on: calls, steadiness, narrowness, \
                and how soon savings pay for the making (at most \(Int(TaskOutlook.paybackDaysMax)) days). \
                What is not known yet is said to be so. All of it is of calls that are still kept.
                """)
        @Argument(help: "The task.") var task: String
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let report = TaskReport(
                entry: try await database.tasks.requiredTask(task),
                facts: try await ReportBook(database.pool).report(of: task))
            output.print(report.json) { report.show() }
        }
    }
}

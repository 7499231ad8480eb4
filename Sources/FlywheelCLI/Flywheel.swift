import ArgumentParser
import Foundation

/// The command line: parses, runs, and ends with a status that says how it went.
@main struct Flywheel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flywheel",
        abstract: "Turns the traffic of a product into a small model that its team owns.",
        discussion: """
            Exit status: 0 done, 1 the work failed, 64 wrong usage, 65 bad input data, 69 a service is \
            unavailable, 130 interrupted.
            """,
        version: flywheelVersion,
        subcommands: [
            UpCommand.self, DemoCommand.self, CoordinatorCommand.self, WorkerCommand.self,
            GatewayCommand.self, ServeCommand.self, KeysCommand.self, UpstreamsCommand.self,
            TasksCommand.self, SubmitCommand.self, LabelCommand.self, JudgeCommand.self,
            BuildCommand.self,
            JobsCommand.self, DataCommand.self, ModelsCommand.self,
            NodesCommand.self, TenantsCommand.self,
            MigrateCommand.self, SQLCommand.self, BenchCommand.self, DoctorCommand.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            // What was printed may still wait to be written, and a full disk would lose it silently.
            guard fflush(nil) == 0 else {
                Terminal.complain("The output could not be written. Check the place it goes to.")
                throw ExitStatus.failed
            }
        } catch {
            ExitStatus.end(with: error)
        }
    }
}

/// What `flywheel --version` prints, and workers register with.
let flywheelVersion = "0.1.0"

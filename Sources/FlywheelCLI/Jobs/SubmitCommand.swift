import ArgumentParser
import FlywheelCore
import Foundation
import Jobs

struct SubmitCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Submit the jobs of a YAML file.",
        discussion: """
            Names of data and models are resolved to digests now, files of this machine are copied \
            into the artifacts, and nothing is submitted unless all of the file can be. Prints the \
            numbers of the jobs, alone when not on a terminal.

            A submission under an idempotency key that was used before returns the job of then. Of a \
            file with several jobs, the second has the key KEY/2, and so on.
            """)

    @Argument(help: AppliedFile.help, completion: .file(extensions: ["yaml"]))
    var specification: String

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: .init("Put a value into every job of the file.", valueName: "path.to.key=value"))
    var settings: [String] = []

    @Option(help: .init("Submit at most once under this name.", valueName: "key"))
    var idempotencyKey: String?

    @Flag(help: "Follow the last job to its end; the status is 1 when it does not succeed.")
    var watch = false

    @OptionGroup var output: OutputOptions

    func run(on database: Database) async throws {
        do {
            let file = AppliedFile(specification)
            let submitted = try await JobSubmitter(database: database).submit(
                yaml: try file.text(), file: file.title,
                settings: try settings.map { try SpecificationSetting(parsing: $0) },
                idempotencyKey: idempotencyKey)
            show(submitted)
            if watch, let last = submitted.last {
                try await JobWatcher(database: database).watchUntilInterrupted(last.job)
            }
        } catch var error as InputError {
            error.remedy += (error.remedy.isEmpty ? "" : " ") + "Nothing was submitted."
            throw error
        }
    }

    private func show(_ submitted: [Submitted]) {
        output.print(
            .array(
                submitted.map {
                    [
                        "job": .integer($0.job.rawValue), "created": .boolean($0.created),
                        "same": .boolean($0.same),
                    ]
                })
        ) {
            for job in submitted {
                guard Terminal.output.isInteractive else {
                    print(job.job)
                    continue
                }
                print("job \(job.job)" + (job.created ? "" : ", submitted before under this key"))
            }
        }
    }
}

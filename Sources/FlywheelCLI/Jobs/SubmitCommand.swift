import ArgumentParser
import Artifacts
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

    @Argument(help: "A YAML file; - reads standard input.", completion: .file(extensions: ["yaml"]))
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
            let submitted = try await submit(to: database)
            show(submitted)
            if watch, let last = submitted.last {
                try await JobWatcher(database: database).watch(last.job)
            }
        } catch var error as InputError {
            error.remedy += (error.remedy.isEmpty ? "" : " ") + "Nothing was submitted."
            throw error
        }
    }

    private func submit(to database: Database) async throws -> [Submitted] {
        let file = specification == "-" ? "standard input" : specification
        let documents = try SpecificationDocument.parse(
            yaml: try text(), file: file,
            settings: try settings.map { try SpecificationSetting(parsing: $0) })
        let resolver = SubmissionResolver(
            database: database, artifacts: try ArtifactStore(at: database.environment.artifacts))
        let resolved = try await resolver.resolve(documents)
        var submitted: [Submitted] = []
        do {
            for (index, job) in resolved.enumerated() {
                let submission = submission(of: job, at: index, after: submitted.map(\.job))
                submitted.append(try await database.jobs.submit(submission))
                try checkKey(submission.idempotencyKey, submitted[index])
            }
        } catch {
            for job in submitted where job.created {
                _ = try? await database.jobs.cancel(job.job)
            }
            throw error
        }
        try? await database.nudge()
        return submitted
    }

    /// The submission of the job at `index`, now that those before it have numbers.
    private func submission(
        of job: SubmissionResolver.Resolved, at index: Int, after earlier: [JobID]
    ) -> Submission {
        var specification = job.specification
        let parents = job.after + job.parents.map { earlier[$0] }
        specification.envelope.after = parents.map { .id($0) }
        for (role, parent) in job.outputs {
            specification.envelope.resolved[role] = .output(of: earlier[parent])
        }
        let key = idempotencyKey.map { index == 0 ? $0 : "\($0)/\(index + 1)" }
        return Submission(specification, after: parents, idempotencyKey: key)
    }

    private func checkKey(_ key: String?, _ submitted: Submitted) throws {
        guard let key, !submitted.same else { return }
        throw InputError(
            field: "--idempotency-key",
            "`\(key)` belongs to job \(submitted.job), which has another specification",
            remedy: "Take another key for another job.")
    }

    private func text() throws -> String {
        let data =
            specification == "-"
            ? (try FileHandle.standardInput.readToEnd() ?? Data())
            : FileManager.default.contents(atPath: specification)
        guard let data else {
            throw InputError(
                file: specification, "the file cannot be read",
                remedy: "Check the path and its permissions.")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw InputError(file: specification, "not UTF-8", remedy: "Write the file in UTF-8.")
        }
        return text
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

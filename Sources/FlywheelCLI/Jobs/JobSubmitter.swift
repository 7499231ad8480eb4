import Artifacts
import FlywheelCore
import Foundation
import Jobs

/// Submits the jobs of a specification: references resolved, files among the artifacts.
struct JobSubmitter {
    let database: Database

    /// Submits all jobs of the text, or none.
    ///
    /// Of several jobs under a key, the second has the key KEY/2, and so on.
    func submit(
        yaml text: String, file: String, settings: [SpecificationSetting] = [],
        idempotencyKey: String? = nil
    ) async throws -> [Submitted] {
        let documents = try SpecificationDocument.parse(yaml: text, file: file, settings: settings)
        let resolver = SubmissionResolver(
            database: database, artifacts: try database.artifacts)
        let resolved = try await resolver.resolve(documents)
        var submitted: [Submitted] = []
        do {
            for (index, job) in resolved.enumerated() {
                var submission = Self.submission(of: job, after: submitted.map(\.job))
                submission.idempotencyKey = idempotencyKey.map {
                    index == 0 ? $0 : "\($0)/\(index + 1)"
                }
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

    /// The submission of a job, now that those before it have numbers.
    static func submission(
        of job: SubmissionResolver.Resolved, after earlier: [JobID]
    ) -> Submission {
        var specification = job.specification
        let parents = job.after + job.parents.map { earlier[$0] }
        specification.envelope.after = parents.map { .id($0) }
        for (role, output) in job.outputs {
            specification.envelope.resolved[role] = .output(
                of: earlier[output.job], split: output.split)
        }
        return Submission(specification, after: parents)
    }

    private func checkKey(_ key: String?, _ submitted: Submitted) throws {
        guard let key, !submitted.same else { return }
        throw InputError(
            field: "--idempotency-key",
            "`\(key)` belongs to job \(submitted.job), which has another specification",
            remedy: "Take another key for another job.")
    }
}

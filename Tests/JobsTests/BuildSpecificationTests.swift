import FlywheelCore
import Foundation
import Jobs
import Testing

@Suite struct `Builds in specifications` {
    private static func parse(_ more: String = "") throws -> JobSpecification {
        try #require(
            try JobSpecification.parse(
                yaml: "kind: build\nname: intent\ntask: intents\n" + more, file: "jobs.yaml"
            ).first)
    }

    @Test func `a build has the defaults of data build, and is read as it was written`() throws {
        let job = try Self.parse()
        guard case .build(let build) = job else {
            Issue.record("not a build")
            return
        }
        #expect(build.form == .answers && build.near == 0.8 && build.answerWeight == 0.5)
        #expect(build.trust == nil && build.sourceShare == nil && build.until == nil)
        #expect(job.stages == [.building] && job.isResolved)
        let full = try Self.parse(
            """
            form: pairs
            since: 30d
            until: 2026-01-31T08:00:00Z
            models: [gpt-5]
            signals: [correction, score>=0.8]
            teachers: [gpt-5]
            trust: 0.6
            answerWeight: 0.1
            sourceShare: 0.4
            near: 0.9
            validation: 0.2
            test: 0.05
            seed: 3
            """)
        #expect(try JobSpecification(json: full.json) == full)
        #expect(try JobSpecification(json: job.json) == job)
        #expect(full.json["since"] == "30d" && full.json["sourceShare"] == 0.4)
    }

    @Test func `what it will make is known by name`() throws {
        guard case .build(let build) = try Self.parse("validation: 0") else { return }
        #expect(build.split(called: "intent") == "")
        #expect(build.split(called: "intent-validation") == nil)
        guard case .build(let other) = try Self.parse("test: 0.1") else { return }
        #expect(other.split(called: "intent-validation") == "validation")
        #expect(other.split(called: "intent-test") == "test")
        #expect(other.split(called: "intents") == nil)
    }

    @Test(arguments: [
        ("since: soon", "jobs.yaml:4: since: `soon` is no moment"),
        ("validation: 0.6\ntest: 0.4", "leave nothing to learn"),
        ("form: rows", "`rows` is none of `answers`, `pairs`, `prompts`"),
        ("sourceShare: 0", "Give a number above 0"),
        ("ranks: {max: 2}", "by one process, not by 2 ranks"),
    ])
    func `a mistake is named where it is`(line: String, says: String) {
        let error = #expect(throws: InputError.self) { try Self.parse(line) }
        #expect(error?.description.contains(says) == true, "\(error?.description ?? "")")
    }

    @Test func `how long ago counts from the moment that is given`() throws {
        let submitted = Date(timeIntervalSince1970: 1_000_000)
        let before = try Moment.read("12h", "since", before: submitted)
        #expect(before == Date(timeIntervalSince1970: 1_000_000 - 12 * 3_600))
    }
}

import FlywheelCore
import Graders
import Jobs
import Testing

@Suite struct `Judges in specifications` {
    private static func parse(_ yaml: String) throws -> JobSpecification {
        try #require(try JobSpecification.parse(yaml: yaml, file: "jobs.yaml").first)
    }

    private static let measured = """
        kind: judge
        name: quality-judge
        judge: {upstream: frontier, model: gpt-5}
        golden: votes@latest
        """

    private static let exam = """
        kind: evaluate
        name: exam
        model: support@3
        golden: questions@latest
        graders:
          - {type: exact}
          - type: judge
            name: quality
            judge: {model: teacher@2}
            mode: rubric
            criteria: Does it say what to do?
            scale: {low: 1, high: 5, pass: 4}
            temperature: 0
            agreement: {kappa: 0.5, accuracy: 0.7, days: 7}
        gate: {require: [{margin: 0.02}, {metric: quality, margin: 0.05}]}
        """

    @Test func `a judge has a prompt of ours unless it is given one`() throws {
        guard case .judge(let job) = try Self.parse(Self.measured) else {
            Issue.record("not a judge")
            return
        }
        #expect(job.judge == Judge(upstream: "frontier", model: "gpt-5", prompt: .pairwise))
        #expect(job.judge.title == "frontier/gpt-5" && job.judge.mode == .pairwise)
        #expect(try Self.parse(Self.measured).stages == [.judging])
    }

    @Test func `a judge among the graders has a metric and a floor, and asks after the ranks`()
        throws
    {
        guard case .evaluate(let exam) = try Self.parse(Self.exam) else {
            Issue.record("not an exam")
            return
        }
        let judge = try #require(exam.marking.judges.first)
        #expect(exam.marking.metrics.map(\.name) == ["accuracy", "quality"])
        #expect(judge.floor == JudgeFloor(kappa: 0.5, accuracy: 0.7, days: 7))
        #expect(judge.judge.title == "teacher@2" && judge.judge.temperature == 0)
        #expect(judge.judge.prompt.form == .rating(RatingScale(low: 1, high: 5, pass: 4)))
        #expect(try Self.parse(Self.exam).stages == [.ranks, .judging])
    }

    @Test func `where a judge marks alone, a gate is about its metric`() throws {
        let text = """
            kind: evaluate
            name: exam
            model: support@3
            golden: questions@latest
            graders: [{type: judge, judge: {model: teacher@2}}]
            gate: {margin: 0.02}
            """
        guard case .evaluate(let exam) = try Self.parse(text) else {
            Issue.record("not an exam")
            return
        }
        #expect(exam.marking.metrics == [Metric("judge", isGraded: true)])
        #expect(exam.gate?.require.map(\.metric) == ["judge"])
    }

    private static let rented = exam.replacing(
        "golden:",
        with: "incumbent: {upstream: frontier, model: gpt-5}\nbudget: {money: 2.5}\ngolden:")

    @Test func `a rented incumbent is asked after the ranks, with or without a judge`() throws {
        for text in [
            Self.rented,
            Sample.evaluate.replacing(
                "support-intent-2@4", with: "{upstream: a, model: b/c}\nbudget: {tokens: 5}"),
        ] {
            let specification = try Self.parse(text)
            #expect(specification.stages == [.ranks, .judging])
            #expect(specification.models[.incumbent] == nil, "nothing that ranks could load")
        }
        #expect(try Self.parse(Sample.evaluate).stages == [.ranks])
    }

    @Test
    func `an incumbent of the upstream flywheel is a model of the registry, and costs nothing`()
        throws
    {
        for budget in ["", "\nbudget: {money: 1}"] {
            let text = Sample.evaluate.replacing(
                "support-intent-2@4",
                with: "{upstream: flywheel, model: support-intent-2@4}" + budget)
            #expect(try Self.parse(text) == Self.parse(Sample.evaluate))
        }
    }

    @Test(arguments: [measured, measured + "\nbudget: {tokens: 9}", exam, rented])
    func `what is written out reads as it was`(yaml: String) throws {
        let specification = try Self.parse(yaml)
        let again = try JobSpecification(json: specification.json)
        #expect(again == specification)
        #expect(again.digest == specification.digest)
    }

    @Test(arguments: [
        ("mode: pairwse", "mode", "Did you mean `pairwise`?"),
        ("scale: {pass: 3}", "scale", "a judge who compares has no scale"),
        ("marks: {a: x}", "marks.b", "`b` is missing"),
        ("marks: {a: x, b: xy}", "marks", "could not be told from the other"),
        ("template: {user: 'Which? {answer_a}'}", "template", "would never see `{answer_b}`"),
        ("mode: rubric\nscale: {low: 5, high: 1}", "scale", "has no rating"),
        ("mode: rubric\nmarks: {a: x, b: y}", "marks", "a judge who rates has a scale"),
        ("temperature: 3", "temperature", "out of range"),
    ])
    func `what cannot be asked or read is refused`(more: String, field: String, says: String) throws
    {
        let error = try #require(throws: InputError.self) {
            try Self.parse(Self.measured + "\n" + more)
        }
        #expect(error.field == field, "\(error)")
        #expect(error.description.contains(says), "\(error)")
    }

    @Test func `a judge is no part of a total`() throws {
        let text = Sample.evaluate.replacing(
            "[{type: exact}]",
            with: "[{type: multi, graders: {a: {type: judge, judge: {model: m}}}}]")
        let error = try #require(throws: InputError.self) { try Self.parse(text) }
        #expect(error.description.contains("a judge cannot be part of a total"), "\(error)")
    }
}

import Datasets
import Distillation
import FlywheelCore
import Graders
import Jobs
import Testing
import Tokenizers

@Suite struct LabelSheets {
    private func specification(_ more: String = "") throws -> DistillSpecification {
        let text = """
            kind: distill
            name: labels
            prompts: questions
            teacher: {upstream: frontier, model: gpt-5}
            budget: {tokens: 1000}
            \(more)
            """
        guard case .distill(let distill) = try JobSpecification.parse(yaml: text, file: nil)[0]
        else { throw InputError("not a distillation") }
        return distill
    }

    private func prompts(_ count: Int) -> [DatasetRow] {
        (1...count).map {
            DatasetRow(
                .chat([ChatMessage(role: .user, content: "question \($0)")]), id: "q\($0)",
                fields: ["reference": .string("\($0)")])
        }
    }

    private func answer(_ text: String, finish: String = "stop") -> TaughtAnswer {
        TaughtAnswer(message: ChatMessage(role: .assistant, content: text), finish: finish)
    }

    @Test(arguments: [
        ("", "stop", "empty"), ("1", "length", "ended by length"), ("1", "", "not ended"),
        ("no", "stop", "not JSON"), ("\"1\"", "stop", "does not fit the schema"),
        ("2", "stop", "not the right answer"), ("1", "stop", nil),
    ])
    func `an answer is a row when it passes every check`(
        text: String, finish: String, problem: String?
    ) throws {
        let sheet = try LabelSheet(
            specification(
                "output: {schema: {type: integer}}\ngraders: [{type: exact}]"), prompts: prompts(1))
        #expect(sheet.record(answer(text, finish: finish), at: 1).problem == problem)
    }

    @Test func `the gate stops as soon as too many are bad, and says why`() throws {
        var sheet = try LabelSheet(
            specification("smoke: {first: 4, pass: 3}"), prompts: prompts(9))
        #expect(sheet.smoked == [1, 2, 3, 4])
        sheet.note(sheet.record(answer(""), at: 2))
        #expect(sheet.smokeAlarm == nil)
        // One beyond the first does not count.
        sheet.note(sheet.record(answer(""), at: 8))
        #expect(sheet.smokeAlarm == nil)
        sheet.note(sheet.record(answer("well", finish: "length"), at: 1))
        let alarm = try #require(sheet.smokeAlarm)
        #expect(alarm.contains("of the first 4 answers at most 1 may fail, and 2 did"))
        #expect(alarm.contains("1 × empty, 1 × ended by length"))
        #expect(alarm.contains("3 of 9 prompts were asked"))
        #expect(alarm.contains("Correct the prompts"))
        // An answer that never came is the upstream's.
        sheet.note(ItemRecord(position: 3, problem: "asked 8 times; at last: 500: no"))
        #expect(sheet.smokeAlarm?.contains("`flywheel upstreams check frontier`") == true)
    }

    @Test func `rows come in the order of prompts, whatever the order of answers`() throws {
        var sheet = try LabelSheet(specification(), prompts: prompts(5))
        for position in [4, 1, 5, 2] {
            let text = position == 2 ? "" : "answer \(position)"
            sheet.note(sheet.record(answer(text), at: position))
        }
        #expect(sheet.rows.map(\.id) == ["q1", "q4", "q5"])
        #expect(sheet.missing == [3])
        #expect(sheet.rows[0].content.answer == "answer 1")
        #expect(sheet.rows[0].fields["teacher"]?["model"] == "frontier/gpt-5")
        #expect(sheet.summary(rows: 3, stopped: nil)["leftOut"] == ["empty": 1])
    }

    @Test func `the first record of a prompt stands`() throws {
        var sheet = try LabelSheet(specification(), prompts: prompts(1))
        sheet.note(sheet.record(answer("first"), at: 1))
        sheet.note(sheet.record(answer("second"), at: 1))
        #expect(sheet.rows[0].content.answer == "first")
    }

    @Test func `a row that asks nothing is refused`() {
        #expect {
            try LabelSheet(specification(), prompts: [DatasetRow(.text("a text"), id: "7")])
        } throws: { "\($0)".contains("row 7 of shape text has no question") }
    }

    @Test func `an upstream without a budget is refused`() {
        let text = """
            kind: distill
            name: labels
            prompts: questions
            teacher: {upstream: frontier, model: gpt-5}
            """
        #expect {
            try JobSpecification.parse(yaml: text, file: nil)
        } throws: { "\($0)".contains("`budget` is missing. An upstream costs money") }
    }

    @Test func `a specification is read back from its JSON`() throws {
        let distill = try specification("graders: [{type: exact}]\nsampling: {topLogprobs: 5}")
        let job = JobSpecification.distill(distill)
        #expect(try JobSpecification(json: job.json) == job)
    }
}

@Suite struct ThoughtsOfTeachers {
    private let tokenizer = Tokenizer(
        learning: 300, from: ["the cat sat on the mat with the other cat"],
        specialTokens: ChatTemplate.specialTokens)

    private func thought(_ text: String, _ logProbability: Double = -0.5) -> TeacherTokens.Choice {
        .init(.bytes(Array(text.utf8)), logProbability)
    }

    @Test func `thoughts are read back from their JSON`() throws {
        let tokens = TeacherTokens(
            tokenizer: nil,
            tokens: [
                .init(chosen: thought("the"), top: [thought("the"), .init(.bytes([195]), -2)])
            ])
        #expect(TeacherTokens(tokens.json) == tokens)
        let own = TeacherTokens(
            tokenizer: Digest(of: "t"),
            tokens: [.init(chosen: .init(.id(3), -0.12345), top: [.init(.id(3), -0.12345)])])
        #expect(TeacherTokens(own.json) == own)
        #expect(own.tokens[0].chosen.logProbability == -0.1235)
    }

    @Test func `texts are ids where each is one token, and else the text alone is learned`() {
        let reader = TeacherReader(tokenizer)
        let known = TeacherTokens(
            tokenizer: nil,
            tokens: [.init(chosen: thought("c"), top: [thought("c"), thought("a")])])
        #expect(reader.read(known)?[0].chosen == tokenizer.id(of: "c"))
        let unknown = TeacherTokens(
            tokenizer: nil,
            tokens: [.init(chosen: thought("c"), top: [thought("c"), thought("zebra")])])
        #expect(reader.read(unknown) == nil)
        let foreign = TeacherTokens(
            tokenizer: Digest(of: "another"),
            tokens: [.init(chosen: .init(.id(3), -1), top: [.init(.id(3), -1)])])
        #expect(reader.read(foreign) == nil, "an id means something else there")
    }

    @Test func `a thought counts while the tokens before it are the teacher's own`() throws {
        let digest = Digest(of: tokenizer.json)
        var document = TokenizedDocument(
            tokens: [5, 6, 10, 11, 12, 13], weights: [0, 0, 1, 1, 1, 1])
        func token(_ id: Int32) -> TeacherTokens.Token {
            .init(chosen: .init(.id(id), -0.1), top: [.init(.id(id), -0.1)])
        }
        let teacher = TeacherTokens(
            tokenizer: digest, tokens: [token(10), token(11), token(99), token(13)])
        let read = try #require(TeacherReader(tokenizer).read(teacher))
        #expect(document.teach(read) == 3)
        #expect(document.teacher.map { $0?.tokens } == [nil, nil, [10], [11], [99], nil])
    }
}

import Datasets
import Distillation
import FlywheelCore
import Testing
import Tokenizers

@Suite struct `Teacher and curated rows` {
    private func row(
        _ id: String, _ question: String, _ answer: String, target: String? = nil
    ) -> DatasetRow {
        DatasetRow(
            .chat([
                ChatMessage(role: .user, content: question),
                ChatMessage(role: .assistant, content: answer),
            ]), id: id, fields: target.map { ["target": .string($0)] } ?? [:])
    }

    private func said(_ rows: TaughtRows) -> [String] {
        rows.rows.map { "\($0.id) \($0.content.answer ?? "")" }
    }

    @Test(arguments: [
        ("correction", ["b t", "c t", "a p"]), ("accepted", ["b t", "c t", "a p"]),
        ("answer", ["a t", "b t", "c t"]), (nil, ["b t", "c t", "a p"]),
    ])
    func `a person's word stands in the teacher's place, and what nobody vouches for gives way`(
        target: String?, learned: [String]
    ) {
        let rows = TaughtRows(
            [row("a", "one?", "t"), row("b", "two?", "t"), row("c", "three?", "t")],
            curated: [row("a", "one?", "p", target: target)])
        #expect(said(rows) == learned)
        #expect(rows.taught + rows.curated == 3)
        #expect(rows.yielded == (target == "answer" ? 1 : 0))
    }

    @Test func `a person's word keeps what the teacher thought of the question`() {
        func thinking(_ row: DatasetRow, _ thought: String) -> DatasetRow {
            var row = row
            row.fields["teacher"] = .string(thought)
            return row
        }
        let rows = TaughtRows(
            [
                thinking(row("a", "one?", "t"), "of one"),
                thinking(row("2", "two?", "t"), "of two"),
                row("c", "three?", "t"),
            ],
            curated: [
                row("a", "one?", "p", target: "correction"), row("1", "Two?", "p"),
                row("c", "three?", "p"), row("d", "four?", "p", target: "answer"),
            ])
        #expect(said(rows) == ["a p", "1 p", "c p", "d p"])
        #expect(rows.rows.map { $0.fields["teacher"] } == ["of one", "of two", nil, nil])
    }

    @Test func `failing ids, rows are about the same where they ask the same`() {
        let rows = TaughtRows(
            [row("1", "One  day?", "t"), row("q2", "two?", "t"), row("3", "three?", "t")],
            curated: [
                // Numbers stand in for ids: the first is not about `One day?` for being the first.
                row("1", "two?", "p", target: "correction"),
                row("x", "one day?", "p", target: "answer"),
                row("y", "four?", "p", target: "answer"),
            ])
        #expect(said(rows) == ["1 t", "3 t", "1 p", "y p"])
        #expect(rows.given == 3 && rows.taught == 2 && rows.curated == 2 && rows.yielded == 1)
        #expect(
            rows.description
                == "2 of 3 rows are the teacher's, and 2 of 3 curated: 1 of the teacher's gave way to "
                + "what somebody says instead, 1 curated ones to the teacher")
    }

    @Test(arguments: ["correction", "accepted", nil])
    func `who says what the teacher says leaves it to the teacher, who knows how sure it is`(
        target: String?
    ) {
        let rows = TaughtRows(
            [row("a", "one?", "t"), row("2", "two?", "t")],
            curated: [
                row("a", "one?", " T ", target: target), row("x", "two?", "t", target: target),
            ])
        #expect(said(rows) == ["a t", "2 t"])
        #expect(rows.taught == 2 && rows.curated == 0 && rows.yielded == 2)
    }

    @Test func `what stands before the question is part of it`() {
        func row(_ system: String, target: String? = nil) -> DatasetRow {
            DatasetRow(
                .chat([
                    ChatMessage(role: .system, content: system),
                    ChatMessage(role: .user, content: "which?"),
                    ChatMessage(role: .assistant, content: system),
                ]), id: "1", fields: target.map { ["target": .string($0)] } ?? [:])
        }
        let rows = TaughtRows([row("of towns")], curated: [row("of rivers", target: "correction")])
        #expect(rows.rows.count == 2)
    }
}

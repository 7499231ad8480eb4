import Curation
import Datasets
import FlywheelCore
import Testing
import Tokenizers

@Suite struct `What is learned of a call` {
    private func rows(
        _ examples: CapturedExample..., rules: CurationRules = Self.whole()
    ) -> [DatasetRow] {
        CuratedDataset(examples, rules).rows
    }

    private static func whole(_ form: CurationRules.Form = .answers) -> CurationRules {
        var rules = CurationRules(form: form)
        rules.splits = []
        rules.sourceShareMax = 1
        return rules
    }

    @Test func `a correction stands above the answer, and weighs what its source is trusted`() {
        let rows = rows(
            example(1, "is it?", answer: "no", .correction("yes", trust: 0.8)),
            example(2, "what about the other one?", answer: "no"),
            example(3, "and of the third?", answer: "maybe", .accepted(trust: 0.7)))
        #expect(rows.map(\.content.answer) == ["yes", "no", "maybe"])
        #expect(rows.map(\.weight) == [0.8, 0.5, 0.7])
        #expect(rows.map { $0.fields["target"] } == ["correction", "answer", "accepted"])
        #expect(rows.map(\.id) == [id(1), id(2), id(3)])
    }

    @Test func `the most trusted correction counts, and of equals the latest`() {
        let rows = rows(
            example(
                1, "first?", .correction("a", trust: 0.9), .correction("b", trust: 0.6),
                .correction("c", trust: 0.9)),
            example(2, "another thing?", answer: "kept", .correction("wrong", trust: 0.4)))
        #expect(rows.map(\.content.answer) == ["c", "kept"])
    }

    @Test func `who is trusted decides whether an answer is rejected`() {
        let dataset = CuratedDataset(
            [
                example(1, "one of these?", .rejected()),
                example(
                    2, "which is good then?", .rejected(trust: 0.6),
                    .accepted(trust: 0.9)),
                example(3, "somebody unknown?", .rejected(trust: 0.2)),
                example(
                    4, "resolved in the end?",
                    Reaction("resolved", value: false, reward: 0, trust: 1)),
                example(
                    5, "scored by a person?", Reaction("score", value: 0.25, reward: 0.25, trust: 1)
                ),
                example(6, "changed a little?", Reaction("modified", reward: 0.4, trust: 1)),
            ], Self.whole())
        #expect(dataset.rows.map(\.id) == [id(2), id(3)])
        #expect(dataset.omitted == [.rejected: 4])
        #expect(dataset.targets == [.accepted: 1, .answer: 1])
    }

    @Test func `every capture is a row or is left out for a reason`() {
        var rules = Self.whole()
        rules.teachers = ["big"]
        var silent = example(2, "opted out?")
        silent.request = nil
        var cut = example(6, "a long story please")
        cut.finishReason = "length"
        let dataset = CuratedDataset(
            [
                example(1, "kept as it is?"), silent,
                example(3, "did it fail?", answer: nil, status: "failed"),
                example(4, "of whom is this?", model: "small"),
                example(5, "says it anything?", answer: ""), cut,
                example(7, "Kept  as it is?"),
            ], rules)
        #expect(
            dataset.omitted == [
                .unstored: 1, .failed: 1, .unvouched: 1, .unreadable: 1, .cut: 1, .copy: 1,
            ])
        #expect(dataset.rows.map(\.id) == [id(7)])
        #expect(dataset.pieces[0].origins.map(\.capture) == [id(1), id(7)])
        #expect(dataset.pieces[0].origins.map(\.isCopy) == [true, false])
    }

    @Test func `a pair sets the correction over the answer that was corrected`() {
        let dataset = CuratedDataset(
            [
                example(1, "is it?", answer: "no", .correction("yes")),
                example(2, "nothing was said of this"),
                example(3, "the same again?", answer: "Yes", .correction(" yes")),
            ], Self.whole(.pairs))
        #expect(dataset.omitted == [.uncorrected: 1, .unchanged: 1])
        #expect(
            String(decoding: DatasetFile.jsonl(dataset.rows), as: UTF8.self) == """
                {"id":"\(id(1))","input":{"messages":[{"role":"user","content":"is it?"}]},\
                "preferred_output":[{"role":"assistant","content":"yes"}],\
                "non_preferred_output":[{"role":"assistant","content":"no"}],\
                "weight":0.9,"target":"correction"}

                """)
    }

    @Test func `prompts have references where something is known to be right`() {
        let rows = rows(
            example(1, "is it?", answer: "no", .correction("yes")),
            example(2, "was this one rejected?", .rejected()),
            example(3, "did that fail?", answer: nil, status: "failed"),
            rules: Self.whole(.prompts))
        #expect(rows.map { $0.fields["reference"] } == ["yes", nil, nil])
        #expect(rows.allSatisfy { $0.content.shape == .reference && $0.weight == 1 })
    }

    @Test func `only the last turn of a conversation is learned`() throws {
        var long = example(1, "hello")
        long.request = [
            "messages": [
                ["role": "user", "content": "hello"], ["role": "assistant", "content": "hi"],
                ["role": "user", "content": "and now?"],
            ]
        ]
        let row = try #require(rows(long).first)
        guard case .chat(let messages, _) = row.content else {
            Issue.record("no conversation")
            return
        }
        #expect(messages.map(\.weight) == [nil, 0, nil, nil])
    }

    @Test func `corrections may be messages, calls of tools, or JSON`() {
        let call: JSONValue = [
            "tool_calls": [["function": ["name": "look", "arguments": "{\"at\":1}"]]]
        ]
        let rows = rows(
            example(1, "one?", Reaction("correction", correction: ["content": "a"], trust: 1)),
            example(2, "another two?", Reaction("correction", correction: call, trust: 1)),
            example(
                3, "and the third?",
                Reaction("modified", correction: ["intent": "pay", "b": 1], trust: 1)))
        #expect(
            rows.map(\.content.answer) == ["a", "look {\"at\":1}", "{\"b\":1,\"intent\":\"pay\"}"])
    }

    @Test(arguments: [
        ("correction", [1, 4]), ("none", [3]), ("score>=0.5", [2]), ("haiku=false", [5]),
        ("haiku", [5]), ("modified", [4]),
    ])
    func `signals choose captures`(signal: String, expected: [Int]) throws {
        var rules = Self.whole(.prompts)
        rules.signals = [try SignalFilter(signal)]
        let rows = rows(
            example(1, "first?", .correction("x")),
            example(2, "second thing?", Reaction("score", value: 0.5, trust: 1)),
            example(3, "nothing said of it?"),
            example(4, "changed a bit?", Reaction("modified", correction: "y", trust: 1)),
            example(5, "of another name?", Reaction("haiku", value: false, trust: 1)), rules: rules)
        #expect(rows.map(\.id) == expected.map(id))
    }

    @Test(arguments: ["=1", "score>=much", ""])
    func `a signal that cannot be read is refused`(signal: String) {
        #expect(throws: InputError.self) { try SignalFilter(signal) }
    }
}

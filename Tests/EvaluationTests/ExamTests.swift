import Collectives
import Datasets
import Evaluation
import FlywheelCore
import Graders
import Models
import Testing
import Tokenizers

@Suite struct Exams {
    static let rows = (0..<37).map { index in
        DatasetRow(
            .chat([
                ChatMessage(role: .user, content: "question \(index) of \(index * index)"),
                ChatMessage(role: .assistant, content: index % 2 == 0 ? "even" : "odd"),
            ]), id: "row-\(index)",
            fields: ["domain": .string(index % 3 == 0 ? "thirds" : "others"), "size": ["n": 1]])
    }

    /// A model that has learned nothing: its answers are odd, and always the same.
    static func examinee(_ name: String = "m@1", seed: UInt64 = 11) -> Examinee {
        let tokenizer = Tokenizer(
            learning: 300, from: rows.map { "\($0.id)" }, specialTokens: ChatTemplate.specialTokens)
        let configuration = TransformerConfiguration(
            hidden: 16, layers: 1, heads: 2, keyValueHeads: 1, intermediate: 32,
            vocabulary: tokenizer.vocabularySize, initializerRange: 0.5)
        let model = Transformer(configuration: configuration, rowTokensMax: 64, isTraining: false)
        model.initialize(seed: seed)
        return Examinee(name: name, model: model, tokenizer: tokenizer, template: .chatML)
    }

    @Test func `verdicts depend neither on the batch nor on how many ranks share the exam`() throws
    {
        let alone = try Exam(Self.rows, answerTokensMax: 5)
            .sit(Self.examinee(), world: SoloWorld()) { _, _ in }
        #expect(alone.map(\.id) == Self.rows.map(\.id))
        #expect(alone[0].expected == "even" && alone[1].expected == "odd")
        #expect(Set(alone.map(\.answer)).count > 1, "or else mixing answers up would not be seen")
        for batch in [1, 7, 128] {
            let exam = try Exam(Self.rows, answerTokensMax: 5, batchQuestions: batch)
            for ranks in [1, 2, 3] {
                let shared = try ThreadWorld.run(ranks: ranks) { world in
                    try exam.sit(Self.examinee(), world: world) { _, _ in }
                }
                #expect(shared[0] == alone, "\(ranks) ranks, \(batch) at a time")
                #expect(shared.dropFirst().joined().isEmpty, "only rank 0 has the verdicts")
            }
        }
    }

    @Test func `rounds are counted up to all questions, on every rank equally often`() throws {
        let exam = try Exam(Self.rows, answerTokensMax: 1, batchQuestions: 6)
        let rounds = try ThreadWorld.run(ranks: 3) { world in
            var rounds: [Int] = []
            _ = try exam.sit(Self.examinee(), world: world) { done, _ in rounds.append(done) }
            return rounds
        }
        #expect(rounds == Array(repeating: [18, 36, 37], count: 3))
    }

    @Test func `rows are in a slice for each field that they have`() throws {
        let slicing = Slicing(by: ["domain", "size.n", "expected"], rowsMin: 13)
        let exam = try Exam(Self.rows, slicing: slicing, answerTokensMax: 1)
        #expect(exam.questions[3].slices == ["domain=thirds", "size.n=1", "expected=odd"])
        #expect(
            exam.slices.map { "\($0.name) \($0.rows.count)" } == [
                "all 37", "domain=others 24", "domain=thirds 13", "expected=even 19",
                "expected=odd 18", "size.n=1 37",
            ])
        let coarse = try Exam(
            Self.rows, slicing: Slicing(by: ["domain"], rowsMin: 14), answerTokensMax: 1)
        #expect(coarse.slices.map(\.name) == ["all", "domain=others"])
    }

    @Test func `the right answer is what a row ends with, or what a field of it says`() throws {
        let fields: [String: JSONValue] = ["reference": "from the field", "final": 18]
        let open = DatasetRow(.completion(prompt: "?", completion: ""), id: "a", fields: fields)
        let ended = DatasetRow(.completion(prompt: "?", completion: "own"), id: "b", fields: fields)
        func expected(_ reference: String?) throws -> [String] {
            try Exam([open, ended], reference: reference, answerTokensMax: 1).questions
                .map(\.expected)
        }
        #expect(try expected(nil) == ["from the field", "own"])
        #expect(try expected("final") == ["18", "18"])
        #expect(throws: InputError.self) { try expected("finale") }
    }

    @Test func `what cannot be examined is refused by its name`() throws {
        let numbers = Marking([NamedGrader("numeric", .numeric(NumericGrader()))])
        let lonely = DatasetRow(.text("no question, no answer"), id: "lonely")
        for (rows, marking, slicing, field, says) in [
            ([lonely], Marking(), Slicing(), "row lonely", "no answer to compare with"),
            ([Self.rows[0], Self.rows[0]], Marking(), Slicing(), "row row-0", "comes twice"),
            (Self.rows, numbers, Slicing(), "row row-0", "`even` holds no number"),
            (Self.rows, Marking(), Slicing(by: ["domian"]), "slices", "Did you mean `domain`?"),
        ] {
            let error = #expect(throws: InputError.self) {
                try Exam(rows, marking: marking, slicing: slicing, answerTokensMax: 1)
            }
            #expect(error?.field == field && error?.description.contains(says) == true)
        }
        let many = (0..<2_000).map {
            DatasetRow(
                .completion(prompt: "?", completion: "!"), id: "\($0)",
                fields: ["own": .string("\($0)")])
        }
        let error = #expect(throws: InputError.self) {
            try Exam(many, slicing: Slicing(by: ["own"], rowsMin: 1), answerTokensMax: 1)
        }
        #expect(error?.problem == "2001 slices, more than 2000")
    }
}

@Suite struct Examinations {
    static let marking = Marking([
        NamedGrader("exact", .exact(ExactGrader())),
        NamedGrader("json", .json(JSONGrader(fields: [.init("a"), .init("b")]))),
    ])

    /// Forty rows in two domains, and a sitting of each function from row to answer.
    static func examination(
        _ candidate: (Int) -> String, _ incumbent: ((Int) -> String)? = nil,
        others: [(Int) -> String] = []
    ) throws -> Examination {
        let rows = (0..<40).map { index in
            DatasetRow(
                .completion(prompt: "\(index)", completion: #"{"a":1,"b":\#(index)}"#),
                id: "\(index)", fields: ["domain": index < 25 ? "large" : "small"])
        }
        let exam = try Exam(
            rows, marking: marking, slicing: Slicing(by: ["domain"], rowsMin: 10),
            answerTokensMax: 1)
        func sitting(_ name: String, _ answer: (Int) -> String) -> Sitting {
            Sitting(
                model: name,
                verdicts: exam.questions.enumerated().map { exam.mark(answer($0), to: $1) })
        }
        return Examination(
            exam, candidate: sitting("m@2", candidate),
            incumbent: incumbent.map { sitting("m@1", $0) },
            others: others.enumerated().map { sitting("o@\($0 + 1)", $1) }, eachModel: {})
    }

    static func right(_ index: Int) -> String { #"{"a":1,"b":\#(index)}"# }
    static func half(_ index: Int) -> String { #"{"a":1,"b":-1}"# }

    @Test func `every model has a scorecard for every metric and slice`() throws {
        let examination = try Self.examination(
            { $0 < 25 ? Self.right($0) : Self.half($0) }, Self.right, others: [Self.half])
        #expect(examination.scorecards.count == 3 * 3 * 5)
        func value(_ model: String, _ metric: String, _ slice: String) -> Interval? {
            examination.scorecards.first {
                $0.model == model && $0.metric == metric && $0.slice == slice
            }?.interval
        }
        #expect(value("m@2", "accuracy", "all") == .wilson(right: 25, of: 40))
        #expect(value("m@2", "accuracy", "domain=small") == .wilson(right: 0, of: 15))
        #expect(value("m@2", "json.a", "domain=small") == .wilson(right: 15, of: 15))
        #expect(value("m@1", "accuracy", "all")?.high == 1)
        let mean = try #require(value("m@2", "json", "all"))
        #expect(mean.value == 0.8125 && mean.low > 0.7 && mean.high < 0.9)
        #expect(value("o@1", "json", "all")?.value == 0.5)
    }

    @Test func `comparisons are made row by row, of the candidate and all others`() throws {
        let examination = try Self.examination(
            { $0 < 30 ? Self.right($0) : Self.half($0) },
            { $0 < 38 ? Self.right($0) : Self.half($0) }, others: [Self.right])
        #expect(examination.comparisons.count == 2 * 3 * 5)
        let accuracy = try #require(examination.comparisons.first)
        #expect(accuracy.metric == "accuracy" && accuracy.n == 40)
        #expect(accuracy.gained == 0 && accuracy.lost == 8)
        #expect(abs((accuracy.pValue ?? 0) - 2 * 0x1p-8) < 1e-12)
        #expect(accuracy.difference == .difference(gained: 0, lost: 8, of: 40))
        let json = try #require(examination.comparisons.first { $0.metric == "json" })
        #expect(json.pValue == nil && json.lost == 8)
        #expect(json.difference.value == -0.1 && json.difference.high < 0)
        #expect(
            try Self.examination(Self.right, Self.right).comparisons.allSatisfy {
                $0.difference.value == 0 && $0.difference.low == -$0.difference.high
            })
    }
}

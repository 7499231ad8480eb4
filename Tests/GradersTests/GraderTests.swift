import FlywheelCore
import Graders
import Testing

@Suite struct Grading {
    @Test func `exact answers may differ in blanks and case as far as they are allowed to`() {
        func isRight(_ comparison: TextComparison, _ answer: String) -> Bool {
            ExactGrader(comparison).grade(answer: answer, expected: "New York").score == 1
        }
        #expect(isRight(.init(), " New York\n"))
        #expect(!isRight(.init(), "New  York") && !isRight(.init(), "new york"))
        #expect(isRight(.init(whiteSpace: .collapse), " New\t York"))
        #expect(isRight(.init(ignoresCase: true), "new york"))
        #expect(!isRight(.init(whiteSpace: .keep), "New York\n"))
    }

    @Test func `a regex decides by its match, or by what a group captured`() throws {
        let pattern = try Pattern("(?i)answer:\\s*(\\w+)")
        let captured = try RegexGrader(pattern, group: 1)
        #expect(captured.grade(answer: "So: Answer: libs.", expected: "libs").score == 1)
        #expect(captured.grade(answer: "So: Answer: lib", expected: "libs").score == 0)
        #expect(captured.grade(answer: "libs", expected: "libs").score == 0)
        #expect(try RegexGrader(pattern).grade(answer: "answer: 1", expected: "-").score == 1)
        #expect(
            try RegexGrader(pattern, extent: .full).grade(answer: "an answer: 1", expected: "-")
                .score == 0)
        #expect(throws: InputError.self) { try RegexGrader(pattern, group: 2) }
    }

    @Test func `fields of JSON are scored each, and an answer is right when all are`() {
        let grader = JSONGrader(fields: [
            .init("intent"), .init("slots.time", comparison: .text),
            .init("tags", comparison: .set),
        ])
        let expected = #"{"intent": "pay", "slots": {"time": "Next  Week"}, "tags": ["a", "b"]}"#
        #expect(grader.parts.map(\.name) == ["intent", "slots.time", "tags", "valid"])
        #expect(grader.parts.map(\.isGraded) == [false, false, true, false])
        let all = #"{"tags": ["b", "a"], "slots": {"time": "next week"}, "intent": "pay"}"#
        #expect(grader.grade(answer: all, expected: expected).parts == [1, 1, 1, 1])
        let some = #"{"tags": ["b", "c"], "intent": "pay"}"#
        let grade = grader.grade(answer: some, expected: expected)
        #expect(grade.parts == [1, 0, 0.5, 1] && grade.score == 0.5)
        #expect(grader.grade(answer: all + "}", expected: expected).parts == [0, 0, 0, 0])
        #expect(throws: InputError.self) { try grader.check(expected: "pay") }
    }

    @Test func `numbers in JSON are equal however they are written, and null is absence`() {
        let grader = JSONGrader()
        #expect(grader.grade(answer: #"{"a": [1.0]}"#, expected: #"{"a": [1]}"#).score == 1)
        #expect(grader.grade(answer: #"{"a": ["1"]}"#, expected: #"{"a": [1]}"#).score == 0)
        let field = JSONGrader(fields: [.init("a.0")])
        #expect(field.grade(answer: #"{"a": []}"#, expected: #"{"a": [null]}"#).score == 1)
    }

    @Test func `an answer that does not fit the schema has no field right`() throws {
        let schema = try JSONSchema([
            "type": "object", "required": ["intent"], "additionalProperties": false,
            "properties": [
                "intent": ["type": "string", "enum": ["pay", "ask"]],
                "items": ["type": "array", "items": ["type": "integer", "minimum": 0]],
            ],
        ])
        let grader = JSONGrader(fields: [.init("intent")], schema: schema)
        for (answer, isValid) in [
            (#"{"intent": "pay"}"#, true), (#"{"intent": "pay", "items": [0, 2.0]}"#, true),
            (#"{"intent": "buy"}"#, false), (#"{"items": []}"#, false),
            (#"{"intent": "pay", "items": [-1]}"#, false), (#"["intent"]"#, false),
            (#"{"intent": "pay", "more": 1}"#, false),
        ] {
            let grade = grader.grade(answer: answer, expected: #"{"intent": "pay"}"#)
            #expect(grade.parts == (isValid ? [1, 1] : [0, 0]), "\(answer)")
        }
        let error = #expect(throws: InputError.self) {
            try JSONSchema(["properties": ["a": ["tpye": "string"]]])
        }
        #expect(error?.field == "properties.a.tpye")
        #expect(error?.remedy == "Did you mean `type`?")
    }

    @Test func `a total is a weighted mean, or arithmetic over the graders' names`() throws {
        let graders = [
            NamedGrader("intent", .json(JSONGrader(fields: [.init("intent")]))),
            NamedGrader("words", .exact(ExactGrader())),
        ]
        let (answer, expected) = (#"{"intent": "pay" }"#, #"{"intent": "pay"}"#)
        let mean = MultiGrader(graders, total: .weights([3, 1]))
        #expect(mean.grade(answer: answer, expected: expected).score == 0.75)
        #expect(mean.grade(answer: answer, expected: expected).parts == [1, 1, 1, 0])
        #expect(mean.grade(answer: expected, expected: expected).score == 1)
        #expect(mean.parts.map(\.name) == ["intent", "intent.intent", "intent.valid", "words"])
        for (text, value) in [
            ("min(intent, words)", 0), ("0.5 * intent + words", 0.5), ("(1 - words) / 4", 0.25),
            ("-intent", 0), ("words / words", 0), ("intent * 3", 1), ("max(words, abs(0-.5))", 0.5),
        ] as [(String, Double)] {
            let formula = try Formula(text, names: ["intent", "words"])
            #expect(formula.value(["intent": 1, "words": 0]) == value, "\(text)")
        }
        for (text, says) in [
            ("intnet", "Did you mean `intent`?"), ("intent +", "a number or a name is missing"),
            ("(intent", "a `)` is missing"), ("intent words", "is not expected"),
            ("abs(1, 2)", "`abs` takes one number"), ("1.2.3", "is not expected"),
        ] {
            let error = #expect(throws: InputError.self) {
                try Formula(text, names: ["intent", "words"])
            }
            #expect(error?.description.contains(says) == true, "\(error.debugDescription)")
        }
    }

    @Test func `metrics are the first grader's accuracy, then every score and part by name`() {
        let json = NamedGrader("json", .json(JSONGrader(fields: [.init("a"), .init("b")])))
        let exact = NamedGrader("exact", .exact(ExactGrader()))
        #expect(Marking([exact]).metrics.map(\.name) == ["accuracy"])
        #expect(Marking([exact, exact]).metrics.map(\.name) == ["accuracy", "exact"])
        let marking = Marking([json, exact])
        #expect(
            marking.metrics.map(\.name)
                == ["accuracy", "json", "json.a", "json.b", "json.valid", "exact"])
        #expect(
            marking.scores(answer: #"{"a": 1, "b": 3}"#, expected: #"{"a": 1, "b": 2}"#)
                == [0, 0.5, 1, 0, 1, 0])
        #expect(marking.scores(answer: "?", expected: "{}") == [0, 0, 0, 0, 0, 0])
    }
}

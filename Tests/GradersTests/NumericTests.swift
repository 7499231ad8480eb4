import FlywheelCore
import Foundation
import Graders
import Testing

@Suite struct NumericGrading {
    @Test(
        arguments: [
            ("", []), ("none", []), ("It is 42.", [42]), ("-3 and \u{2212}4", [-3, -4]),
            ("1,234,567.5 and 1,23", [1_234_567.5, 1, 23]), ("12,345,67", [12_345, 67]),
            ("1234,567", [1_234, 567]), ("$12.50, -$3, -€ 4, 5 €", [12.5, -3, -4, 5]),
            (".5 is 5e-1 or 50 %", [0.5, 0.5, 50]), ("3/4 of 1 1/2", [0.75, 1.5]),
            ("on 3/4/2020", [3, 4, 2_020]), ("1/0", [1, 0]), ("7-3, x-2, (2)-1", [7, 3, 2, 2, 1]),
            ("v1.2.3", [1.2, 3]), ("10:30", [10, 30]), ("2 1/3/4", [2, 1, 3, 4]),
        ] as [(String, [Double])])
    func `numbers are read as people write them`(text: String, values: [Double]) {
        #expect(Numeral.all(in: text).map(\.value) == values)
    }

    @Test(arguments: [
        ("so 12", "12.0", true), ("12 of 13", "12", false), ("about 3.14", "3.1416", false),
        ("1/3", "2/6", true), ("0.1", "1/10", true),
        ("9007199254740993", "9007199254740992", false),
        ("$1,000", "1000", true), ("many", "12", false),
    ])
    func `the last number counts, exactly`(answer: String, expected: String, isRight: Bool) {
        let grade = NumericGrader().grade(answer: answer, expected: expected)
        #expect(grade.score == (isRight ? 1 : 0))
    }

    @Test func `a tolerance is absolute, or a share of the larger number`() {
        func score(_ grader: NumericGrader, _ answer: String, _ expected: String) -> Double {
            grader.grade(answer: answer, expected: expected).score
        }
        #expect(score(NumericGrader(tolerance: 0.1), "3.1", "3.2") == 1)
        #expect(score(NumericGrader(tolerance: 0.1), "3.1", "3.21") == 0)
        #expect(score(NumericGrader(relativeTolerance: 0.01), "99", "100") == 1)
        #expect(score(NumericGrader(relativeTolerance: 0.01), "98", "100") == 0)
    }

    @Test func `a marker rules, and an answer without it is wrong`() {
        let grader = NumericGrader(after: ["####", "A:"])
        #expect(grader.grade(answer: "A: 5\nA: 7 or 8", expected: "7").score == 1)
        #expect(grader.grade(answer: "it is 7", expected: "7").score == 0)
        #expect(grader.grade(answer: "A: 7", expected: "3+4=<<3+4=7>>7\n#### 7").score == 1)
        #expect(throws: InputError.self) { try grader.check(expected: "seven") }
    }

    static let data = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]

    @Test(.enabled(if: data != nil, "needs FLYWHEEL_TEST_DATA"))
    func `all 3,692 published verdicts on answers to GSM8K are reproduced`() throws {
        let folder = try #require(Self.data) + "/gsm8k"
        func rows(_ name: String) throws -> [JSONValue] {
            try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8).split(separator: "\n")
                .map { try JSONValue(parsing: $0.utf8) }
        }
        let expected = Dictionary(
            uniqueKeysWithValues: try rows("test_dev.jsonl").map { row in
                (try #require(row["id"]?.string), try #require(row["answer"]?.string))
            })
        let grader = NumericGrader(after: ["####", "A:"])
        var (agreed, right) = (0, 0)
        for row in try rows("model_solutions_dev.jsonl") {
            let id = try #require(row["id"]?.string)
            let reference = try #require(expected[id])
            let solution = try #require(row["solution"]?.string)
            let isRight = grader.grade(answer: solution, expected: reference).score == 1
            let published = try #require(row["is_correct"]?.boolean as Bool?)
            #expect(isRight == published, "\(id): \(solution.suffix(60))")
            agreed += isRight == published ? 1 : 0
            right += isRight ? 1 : 0
        }
        #expect(agreed == 3_692)
        #expect((1..<3_692).contains(right))
    }
}

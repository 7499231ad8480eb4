import FlywheelCore
import Foundation
import Postgres
import TestSupport
import Testing

/// `flywheel tasks turn` and `tasks plan`, as people type them, without anybody who does the work.
@Suite struct `Turns of the wheel` {
    private static let student = """
        student:
          new: {architecture: llama, hidden: 32, layers: 1, heads: 2, intermediate: 64, vocabulary: 320}
          method: {type: distill}

        """

    private static func task(
        _ more: String, generalist: String = "{upstream: frontier, model: big-1}"
    ) -> String {
        "task: capital\ngeneralist: \(generalist)\n\(more)"
    }

    @Test func `refuse by name what cannot work, and start nothing`() async throws {
        try await Workplace.lend { place in
            let whole = Self.student + "golden: capital-golden\ncycle: {money: 5, hours: 1}\n"
            func refusal(of text: String, _ options: String...) async throws -> String {
                let file = try place.write(text, to: "task.yaml")
                let applied = try await place.flywheel("tasks", "apply", file)
                try #require(applied.status == 0, "\(applied.error)")
                for command in ["plan", "turn"] {
                    let answer = try await Command.flywheel(
                        ["tasks", command, "capital"] + options, in: place.variables)
                    #expect(answer.status == 65 && answer.output.isEmpty, "\(answer.output)")
                    #expect(answer.error.contains("Nothing was started."), "\(answer.error)")
                    guard command == "turn" else { continue }
                    return answer.error
                }
                return ""
            }
            let cap = try await refusal(of: Self.task(Self.student + "golden: capital-golden\n"))
            #expect(cap.hasPrefix("error: cycle: task `capital` says nowhere what a turn may cost"))
            let student = try await refusal(
                of: Self.task("golden: g\n"), "--money", "1", "--hours", "1")
            #expect(student.hasPrefix("error: student: task `capital` names no student"))
            let golden = try await refusal(
                of: Self.task(Self.student), "--money", "1", "--hours", "1")
            #expect(golden.hasPrefix("error: golden: task `capital` names no golden"))

            let rows = try place.write(
                #"{"messages":[{"role":"user","content":"Of Lorn?"},{"role":"assistant","content":"Zed"}]}"#
                    + "\n", to: "golden.jsonl")
            let imported = try await place.flywheel(
                "data", "import", rows, "--name", "capital-golden", "--golden")
            try #require(imported.status == 0, "\(imported.error)")
            let captures = try await refusal(of: Self.task(whole))
            #expect(captures.hasPrefix("error: TASK: `capital` has no captures"))

            let calls = try place.write(`Datasets of captures`.calls(40), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", calls, "--captures")
            let price = try await refusal(of: Self.task(whole))
            #expect(price.hasPrefix("error: teacher: frontier/big-1 has no price"), "\(price)")
            try await Self.apply(
                "upstreams: {frontier: {url: \"http://127.0.0.1:1/v1\"}}", in: place)
            let none = try await place.flywheel("jobs", "list", "--json")
            #expect(none.json == [])
        }
    }

    @Test func `are planned, begun once, and named when they go on`() async throws {
        try await Workplace.lend { place in
            let rows = try place.write(
                #"{"messages":[{"role":"user","content":"Of Lorn?"},{"role":"assistant","content":"Zed"}]}"#
                    + "\n", to: "golden.jsonl")
            _ = try await place.flywheel(
                "data", "import", rows, "--name", "capital-golden", "--golden")
            let calls = try place.write(`Datasets of captures`.calls(40), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", calls, "--captures")
            try await Self.apply(
                """
                upstreams: {frontier: {url: "http://127.0.0.1:1/v1"}}
                prices:
                  big-1: {from: 2020-01-01, input: 1, output: 10}
                  slotHour: 0.1
                """, in: place)
            let text = Self.task(
                Self.student + "golden: capital-golden\ncycle: {money: 5, hours: 1}\n")
            _ = try await place.flywheel(
                "tasks", "apply", try place.write(text, to: "task.yaml"))

            let planned = try await place.flywheel("tasks", "plan", "capital", "--json")
            let plan = try #require(planned.json, "\(planned.error)")
            #expect(plan["rows"] == 36 && plan["money_max"] == 5 && plan["objections"] == [])
            let distill = try #require(
                plan["parts"]?.array?.first { $0["stage"] == "distill" })
            // 36 calls of 20 tokens at 1 and 4 at 10 a million.
            #expect(abs((distill["call_money"]?.number ?? 0) - 36 * 60e-6) < 1e-9)
            let tight = try await place.flywheel(
                "tasks", "plan", "capital", "--money", "0.002", "--hours", "0.0001")
            #expect(tight.output.contains("It would take ") && !tight.output.contains("suffices"))

            let begun = try await place.flywheel("tasks", "turn", "capital", "--json")
            let row = try #require(begun.json, "\(begun.error)")
            #expect(row["turn"] == 1 && row["created"] == true && row["state"] == "running")
            #expect(row["incumbent"] == "frontier/big-1" && row["money_max"] == 5)
            let again = try await place.flywheel(
                "tasks", "turn", "capital", "--money", "9", "--json")
            #expect(again.json?["created"] == false && again.json?["money_max"] == 5)
            #expect(again.json?["train_job"] == row["train_job"])
            let told = try await place.flywheel("tasks", "turn", "capital")
            #expect(told.output.hasPrefix("turn 1 of capital goes on already: jobs build "))
            let jobs = try await place.flywheel("jobs", "list", "--json")
            #expect(
                jobs.json?.array?.map { $0["name"] } == [
                    "capital", "capital-labels", "capital-student", "capital-exam",
                ])

            let taught =
                text.replacing("{type: distill}", with: "{type: sft}")
                + "teacher: {upstream: frontier, model: big-2}\n"
            _ = try await place.flywheel(
                "tasks", "apply", try place.write(taught, to: "taught.yaml"))
            let untaught = try await place.flywheel("tasks", "plan", "capital")
            #expect(
                untaught.error.contains("teacher: `frontier/big-2` is asked nothing"),
                "\(untaught.error)")
        }
    }

    private static func apply(_ book: String, in place: Workplace) async throws {
        let file = try place.write(book, to: "book.yaml")
        let applied = try await place.flywheel("upstreams", "apply", file)
        try #require(applied.status == 0, "\(applied.error)")
    }
}

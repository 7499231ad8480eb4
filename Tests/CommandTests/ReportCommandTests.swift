import FlywheelCore
import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct `Reports of tasks` {
    private static let task = """
        task: capital
        generalist: {upstream: frontier, model: big-1}
        """

    @Test func `say what is known and what is not, and become a verdict`() async throws {
        try await Workplace.lend { place in
            let pool = place.database.pool
            func report() async throws -> JSONValue {
                let printed = try await place.flywheel("tasks", "report", "capital", "--json")
                #expect(printed.status == 0, "\(printed.error)")
                return try #require(printed.json)
            }
            let missing = try await place.flywheel("tasks", "report", "capitol")
            #expect(missing.status == 65, "\(missing.error)")
            _ = try await place.flywheel(
                "tasks", "apply", try place.write(Self.task, to: "task.yaml"))
            let empty = try await report()
            #expect(empty["outlook"]?["verdict"] == "unknown")
            #expect(
                empty["outlook"]?["sentence"]
                    == "Not known: the task had no calls in the last seven days.")
            let shown = try await Command.flywheelOnTerminal(
                "tasks", "report", "capital", in: place.variables)
            #expect(shown.output.contains("the task has no golden set"), "\(shown.output)")
            #expect(shown.output.contains("not known: no answer is kept"))

            let calls = try place.write(`Datasets of captures`.calls(60), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", calls, "--captures")
            try await pool.execute(
                "UPDATE flywheel.capture SET upstream = 'frontier', cost = 0.01")
            let early = try await report()["outlook"]
            #expect(early?["calls"] == 60 && early?["calls_per_month"] == .null)
            let hour = try await Command.flywheelOnTerminal(
                "tasks", "report", "capital", in: place.variables)
            #expect(hour.output.contains("tell nothing of a month"), "\(hour.output)")
            #expect(
                hour.output.contains("under `prices`, a model's per million tokens, and `slotHour`")
            )

            // Two days ago began what is asked now.
            let older = `Datasets of captures`.calls(1, from: 90, before: 2 * 86_400)
            _ = try await place.flywheel(
                "data", "import", try place.write(older, to: "old.jsonl"), "--captures")
            try await pool.execute(
                "UPDATE flywheel.capture SET upstream = 'frontier', cost = 0.01")
            let priced = try await report()["outlook"]
            let perMonth = try #require(priced?["calls_per_month"]?.number)
            #expect((900...916).contains(perMonth), "61 calls in two days")
            #expect(abs((priced?["generalist_per_month"]?.number ?? 0) - perMonth * 0.01) < 1e-6)
            #expect(priced?["saved_per_month"] == .null && priced?["verdict"] == "unknown")
            #expect(priced?["commonest_share"]?.number == 20.0 / 61)

            // A model of ours that some job made, and that answers for a tenth.
            let train: JSONValue = [
                "tenant": "default", "name": "student", "kind": "train", "spec": [:],
                "spec_digest": "x", "ranks_min": 1, "ranks_max": 1,
            ]
            try await pool.execute("UPDATE flywheel.setting SET slot_hour = 3.6")
            let weights = Digest(of: "weights").hex
            let model: JSONValue = [
                "name": "student", "digest": .string(weights), "parameters": 1,
                "files": ["model.safetensors": .string(weights)],
            ]
            try await pool.execute(
                "SELECT flywheel.add_model(\(model), (flywheel.submit(\(train)) ->> 'job')::bigint)"
            )
            let served = try place.write(
                `Datasets of captures`.calls(20, from: 100, model: "student@1"), to: "own.jsonl")
            _ = try await place.flywheel("data", "import", served, "--captures")
            try await pool.execute(
                "UPDATE flywheel.capture SET upstream = 'flywheel', cost = 0.001 WHERE model = 'student@1'"
            )
            let outlook = try await report()["outlook"]
            let month = try #require(outlook?["calls_per_month"]?.number)
            #expect(abs((outlook?["saved_per_month"]?.number ?? 0) - month * 0.009) < 1e-6)
            // Its job has not run, so nothing was spent on it.
            #expect(outlook?["made_for"] == 0 && outlook?["verdict"] == "yes", "\(outlook ?? [:])")
            let text = try await Command.flywheelOnTerminal(
                "tasks", "report", "capital", in: place.variables)
            #expect(text.output.contains("flywheel/student@1"), "\(text.output)")
            #expect(text.output.contains("Worth owning: at"))
            #expect(text.output.contains("paid back at"))
        }
    }
}

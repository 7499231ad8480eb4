import FlywheelCore
import Testing

@Suite struct `Files that are applied` {
    private static let task = """
        task: capital
        generalist: {upstream: frontier, model: big-1}
        """

    @Test func `come by standard input too, and a refusal says that nothing was applied`()
        async throws
    {
        try await Workplace.lend { place in
            let book = "upstreams: {frontier: {url: \"http://127.0.0.1:9/v1\", models: [big-1]}}\n"
            let applied = try await place.flywheel("upstreams", "apply", "-", input: book)
            #expect(applied.output == "Changed: frontier.\n", "\(applied.error)")
            let task = try await place.flywheel("tasks", "apply", "-", input: Self.task)
            #expect(task.output == "capital: version 1.\n", "\(task.error)")
            for (command, text) in [
                ("upstreams", "upstreams: {frontier: {ulr: x}}\n"),
                ("tasks", Self.task + "\nbudget: {money: 3}\n"),
            ] {
                let refused = try await place.flywheel(command, "apply", "-", input: text)
                #expect(refused.status == 65)
                #expect(refused.error.hasPrefix("error: standard input:"), "\(refused.error)")
                #expect(refused.error.hasSuffix("Nothing was applied.\n"), "\(refused.error)")
            }
            let missing = try await place.flywheel("tasks", "apply", "nowhere.yaml")
            #expect(missing.status == 65)
            #expect(missing.error.contains("nowhere.yaml: the file cannot be read."))
        }
    }

    @Test func `are taken out again by name, and what they left stays`() async throws {
        try await Workplace.lend { place in
            let calls = try place.write(`Datasets of captures`.calls(12), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", calls, "--captures")
            _ = try await place.flywheel("tasks", "apply", "-", input: Self.task)
            let stray = try await place.flywheel("tasks", "remove", "capitol")
            #expect(stray.status == 65 && stray.error.contains("Did you mean `capital`?"))
            let removed = try await place.flywheel("tasks", "remove", "capital")
            #expect(removed.status == 0, "\(removed.error)")
            #expect(
                removed.output.hasPrefix(
                    "capital is taken out: frontier/big-1 answers it no more, and calls of it are refused."
                ),
                "\(removed.output)")
            #expect(try await place.flywheel("tasks", "list", "--json").json == [])
            let built = try await place.flywheel("data", "build", "capital", "--json")
            #expect(built.json?["card"]?["captures"] == 12, "\(built.error)")
        }
    }

    @Test func `a signal that nobody gave and nobody could is refused by name`() async throws {
        try await Workplace.lend { place in
            let calls = try place.write(`Datasets of captures`.calls(12), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", calls, "--captures")
            let slip = try await place.flywheel("data", "build", "capital", "--signal", "acepted")
            #expect(slip.status == 65)
            #expect(
                slip.error.contains(
                    "--signal: `acepted` was said of none of the 12 captures, and is no kind of feedback. "
                        + "Nothing was built. Did you mean `accepted`?"), "\(slip.error)")
            let bogus = try await place.flywheel("data", "build", "capital", "--signal", "bogus>=3")
            #expect(bogus.error.contains("`none` chooses them."), "\(bogus.error)")
            let silent = try await place.flywheel("data", "build", "capital", "--signal", "none")
            #expect(silent.status == 0, "\(silent.error)")
        }
    }
}

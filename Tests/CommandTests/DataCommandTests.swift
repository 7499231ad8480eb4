import FlywheelCore
import Foundation
import TestSupport
import Testing

@Suite struct `Data commands` {
    @Test func `what is exported is the same dataset when it is imported again`() async throws {
        try await Workplace.lend { place in
            let pairs = try place.write(
                """
                [
                  {"prompt": "q", "chosen": "a", "rejected": "b", "topic": "x"},
                  {"prompt": "r", "chosen": "c", "rejected": "d"}
                ]
                """, to: "pairs.json")
            let imported = try await place.flywheel("data", "import", pairs, "--name", "pairs")
            #expect(imported.status == 0, "\(imported.error)")
            let file = "\(place.folder)/out.jsonl"
            #expect(try await place.flywheel("data", "export", "pairs@1", file).status == 0)
            let text = try String(contentsOfFile: file, encoding: .utf8)
            #expect(
                text == """
                    {"input":{"messages":[{"role":"user","content":"q"}]},"preferred_output":[{"role":\
                    "assistant","content":"a"}],"non_preferred_output":[{"role":"assistant","content":\
                    "b"}],"topic":"x"}
                    {"input":{"messages":[{"role":"user","content":"r"}]},"preferred_output":[{"role":\
                    "assistant","content":"c"}],"non_preferred_output":[{"role":"assistant","content":\
                    "d"}]}

                    """)
            #expect(try await place.flywheel("data", "export", "pairs").output == text)
            let again = try await place.flywheel("data", "import", file, "--name", "pairs")
            #expect(again.output == imported.output)
            let other = try await place.flywheel("data", "import", file, "--name", "other")
            #expect(other.output == "other@\(Digest(of: text))\n")

            let refused = try await place.flywheel("data", "export", "pairs", file)
            #expect(refused.status == 65)
            #expect(refused.error.contains("it exists already. Nothing was written."))
        }
    }

    @Test func `versions are named by their numbers, and files and standard input are one`()
        async throws
    {
        try await Workplace.lend { place in
            let one = try place.write("{\"text\":\"a\"}\n", to: "one.jsonl")
            for more in ["{\"text\":\"b\"}", "{\"text\":\"c\"}"] {
                let imported = try await place.flywheel(
                    "data", "import", one, "-", "--name", "texts", input: more)
                #expect(imported.status == 0, "\(imported.error)")
            }
            let first = try await place.flywheel("data", "export", "texts@1")
            #expect(first.output == "{\"text\":\"a\"}\n{\"text\":\"b\"}\n")
            let latest = try await place.flywheel("data", "export", "texts@latest", "-")
            #expect(latest.output == "{\"text\":\"a\"}\n{\"text\":\"c\"}\n")
            let shown = try await place.flywheel("data", "show", "texts@2", "--json")
            #expect(shown.json?["version"] == 2)
            #expect(shown.json?["card"]?["nearDuplicates"] == 0)
            let none = try await place.flywheel("data", "show", "texts@3")
            #expect(none.status == 65)
            #expect(none.error.contains("there is no dataset `texts@3`. See its versions in"))

            let mixed = try await place.flywheel(
                "data", "import", one, "-", "--name", "texts", input: "\n{\"tokens\":[1]}")
            #expect(mixed.status == 65)
            #expect(mixed.error.contains("standard input:2: the row has the shape {\"tokens\"}"))
            #expect(try await place.flywheel("data", "list", "--json").json?.array?.count == 2)
        }
    }

    @Test func `a file's card needs no database`() async throws {
        try await temporaryFolder { folder in
            let path = "\(folder)/rows.jsonl"
            try Workplace.rows.write(toFile: path, atomically: true, encoding: .utf8)
            let shown = try await Command.flywheel(
                "data", "show", path, "--row-tokens", "1", "--json")
            #expect(shown.status == 0, "\(shown.error)")
            #expect(shown.json?["card"]?["overlong"] == ["rowTokens": 1, "rows": 2, "beyond": 2])
            let plain = try await Command.flywheel("data", "show", path)
            #expect(plain.output.contains("characters a row\tleast 2, median 2"))
            let terminal = try await Command.flywheelOnTerminal("data", "show", path)
            #expect(terminal.output.contains("2 to 3"), "\(terminal.output)")
            #expect(terminal.output.contains("█ 2"))
        }
    }

    @Test func `leaks are shown side by side, and with --fail end with status 1`() async throws {
        try await temporaryFolder { folder in
            let (train, test) = ("\(folder)/train.jsonl", "\(folder)/test.jsonl")
            try """
            {"prompt": "How do I unblock my card after a wrong PIN?", "completion": "unblock"}
            {"prompt": "Where is the next cash machine?", "completion": "atm"}
            """.write(toFile: train, atomically: true, encoding: .utf8)
            try """
            {"prompt": "How do I unblock my card after a wrong pin", "completion": "pin"}
            {"prompt": "Something else", "completion": "none"}
            """.write(toFile: test, atomically: true, encoding: .utf8)
            let compared = try await Command.flywheel("data", "compare", train, test)
            #expect(compared.status == 0, "\(compared.error)")
            #expect(
                compared.output == """
                    \(train)\t2\t0\t1
                    \(test)\t2\t0\t1
                    0.974\t1\tHow do I unblock my card after a wrong PIN?\tunblock\t1\t\
                    How do I unblock my card after a wrong pin\tpin

                    """)
            let failed = try await Command.flywheel("data", "compare", train, test, "--fail")
            #expect(failed.status == 1)
            #expect(failed.output == compared.output)
            let strict = try await Command.flywheel(
                "data", "compare", train, test, "--fail", "--near", "1", "--json")
            #expect(strict.status == 0)
            #expect(strict.json?["second"]?["near"] == 0)
            #expect(
                try await Command.flywheel("data", "compare", train, test, "--near", "2").status
                    == 64)
        }
    }

    @Test func `training on rows that sft cannot learn from is refused when it is submitted`()
        async throws
    {
        try await Workplace.lend { place in
            let pair = #"{"prompt": "q", "chosen": "a", "rejected": "b"}"#
            let file = try place.write(pair, to: "pairs.jsonl")
            _ = try await place.flywheel("data", "import", file, "--name", "rows")
            for data in ["rows@latest", file] {
                let refused = try await place.flywheel(
                    "submit", "-", input: Workplace.train.replacing("rows@latest", with: data))
                #expect(refused.status == 65)
                #expect(
                    refused.error.contains(
                        "has rows of shape preference, from which method sft cannot learn. It learns "
                            + "from rows of shape chat, completion, text, tokens."),
                    "\(refused.error)"
                )
            }
            #expect(try await place.flywheel("jobs", "list", "--json").json == [])
        }
    }

    @Test func `golden rows in a file of another form are golden all the same`() async throws {
        try await Workplace.lend { place in
            try await place.importRows()
            let copy = try place.write(
                Workplace.goldenRows.replacing(":", with: " : "), to: "copy.jsonl")
            let refused = try await place.flywheel(
                "submit", "-", input: Workplace.train.replacing("rows@latest", with: copy))
            #expect(refused.status == 65)
            #expect(refused.error.contains("golden set"), "\(refused.error)")
            let twice = try place.write(
                "{\"text\":\"a\",\"id\":\"2\"}\n{\"text\":\"b\"}\n", to: "twice.jsonl")
            let named = try await place.flywheel(
                "data", "import", twice, "--name", "twice", "--golden")
            #expect(named.status == 65)
            #expect(named.error.contains("the rows 1 and 2 are both called \"2\""))
        }
    }
}

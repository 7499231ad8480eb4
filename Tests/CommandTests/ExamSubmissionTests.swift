import FlywheelCore
import Testing

@Suite struct `Submitting an exam` {
    /// A workplace with `m@1`, promoted, `m@2` and a golden set.
    private static func lend(_ body: (Workplace) async throws -> Void) async throws {
        try await Workplace.lend { place in
            let folder = try ImportedModel.copy(to: place)
            for _ in 1...2 {
                let imported = try await place.flywheel("models", "import", folder, "--name", "m")
                #expect(imported.status == 0, "\(imported.error)")
            }
            #expect(try await place.flywheel("models", "promote", "m@1").status == 0)
            let rows = try place.write(#"{"prompt":"a","completion":"b"}"# + "\n", to: "g.jsonl")
            let golden = try await place.flywheel("data", "import", rows, "--name", "g", "--golden")
            #expect(golden.status == 0, "\(golden.error)")
            try await body(place)
        }
    }

    private static func exam(_ more: String, of model: String = "m@2") -> String {
        "kind: evaluate\nname: exam\nmodel: \(model)\ngolden: g\n\(more)\n"
    }

    @Test func `a gate compares with the promoted version unless an incumbent is named`()
        async throws
    {
        try await Self.lend { place in
            for (text, incumbent) in [
                (Self.exam("gate: {promote: true}"), "m@1"), (Self.exam(""), nil),
                (Self.exam("gate: {}", of: "m@1"), nil), (Self.exam("gate: {}", of: "m"), nil),
                (Self.exam("gate: {}\nincumbent: m@2", of: "m@1"), "m@2"),
            ] as [(String, String?)] {
                let submitted = try await place.flywheel("submit", "-", input: text)
                #expect(submitted.status == 0, "\(submitted.error)")
                let shown = try await place.flywheel("jobs", "show", "exam", "--json").json
                #expect(shown?["spec"]?["incumbent"]?.string == incumbent, "\(text)")
                let resolved = shown?["spec"]?["resolved"]?["incumbent"]
                #expect((resolved != nil) == (incumbent != nil), "\(text)")
            }
        }
    }

    @Test(arguments: [
        ("slices: [thng]", "thng"), ("reference: nowhere", "no answer to compare with"),
        ("graders: [{type: numeric}]", "golden: row "), ("graders: [{type: json}]", "golden: row "),
    ])
    func `an exam that its golden set cannot give is refused before it waits`(
        more: String, says: String
    ) async throws {
        try await Self.lend { place in
            let submitted = try await place.flywheel("submit", "-", input: Self.exam(more))
            #expect(submitted.status == 65, "\(more)")
            #expect(submitted.error.contains(says), "\(submitted.error)")
            #expect(try await place.flywheel("jobs", "list", "--json").json == [])
        }
    }

    @Test func `other models are pinned too, and none sits an exam twice`() async throws {
        try await Self.lend { place in
            let submitted = try await place.flywheel(
                "submit", "-", input: Self.exam("models: [m]"))
            #expect(submitted.status == 0, "\(submitted.error)")
            let shown = try await place.flywheel("jobs", "show", "exam", "--json").json
            #expect(shown?["spec"]?["models"] == ["m@1"])
            #expect(shown?["spec"]?["resolved"]?["models-0"] != nil)
            let twice = try await place.flywheel(
                "submit", "-", input: Self.exam("models: [m@1]\ngate: {}"))
            #expect(twice.status == 65)
            #expect(twice.error.contains("models: `m@1` sits this exam already"), "\(twice.error)")
        }
    }

    @Test func `a rented incumbent is one that the book of upstreams has`() async throws {
        try await Self.lend { place in
            let book = """
                upstreams:
                  frontier: {url: "http://127.0.0.1:9/v1", models: [gpt-5]}
                prices:
                  gpt-5: {from: 2026-01-01, input: 1, output: 2}
                """
            let path = try place.write(book, to: "upstreams.yaml")
            let applied = try await place.flywheel("upstreams", "apply", path)
            #expect(applied.status == 0, "\(applied.error)")
            func submit(_ incumbent: String) async throws -> Command {
                try await place.flywheel(
                    "submit", "-", input: Self.exam("gate: {}\nincumbent: \(incumbent)"))
            }
            for (incumbent, says) in [
                (
                    "{upstream: fronteir, model: gpt-5}\nbudget: {money: 1}",
                    "Did you mean `frontier`?"
                ),
                ("{upstream: frontier, model: gpt-6}\nbudget: {money: 1}", "Did you mean `gpt-5`?"),
                ("{upstream: frontier, model: gpt-5}", "budget: `budget` is missing"),
                ("{upstream: flywheel, model: n}", "incumbent: there is no model"),
                ("{upstream: flywheel, model: m@2}", "`m@2` sits this exam already"),
            ] {
                let submitted = try await submit(incumbent)
                #expect(submitted.status == 65, "\(incumbent)")
                #expect(submitted.error.contains(says), "\(submitted.error)")
            }
            let rented = try await submit(
                "{upstream: frontier, model: gpt-5}\nbudget: {money: 1}")
            #expect(rented.status == 0, "\(rented.error)")
            var spec = try await place.flywheel("jobs", "show", "exam", "--json").json?["spec"]
            #expect(spec?["incumbent"] == ["upstream": "frontier", "model": "gpt-5"])
            #expect(spec?["resolved"]?["incumbent"] == nil)
            let ours = try await submit("{upstream: flywheel, model: m}\nbudget: {money: 1}")
            #expect(ours.status == 0, "\(ours.error)")
            spec = try await place.flywheel("jobs", "show", "exam", "--json").json?["spec"]
            #expect(spec?["incumbent"] == "m@1" && spec?["budget"] == nil)
            #expect(spec?["resolved"]?["incumbent"] != nil)
        }
    }
}

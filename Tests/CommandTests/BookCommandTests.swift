import FlywheelCore
import Foundation
import Postgres
import TestSupport
import Testing

/// `flywheel upstreams apply` and `tasks route`: what would lead calls astray is refused.
@Suite struct `Books and task files` {
    static let book = """
        upstreams:
          frontier: {url: "http://127.0.0.1:1/v1", models: [gpt-5, gpt-5-mini]}
          spare: {url: "http://127.0.0.1:2/v1"}
        """

    static let task = """
        task: capital
        generalist: {upstream: frontier, model: gpt-5}

        """

    static func lend(_ body: (Workplace) async throws -> Void) async throws {
        try await Workplace.lend { place in
            let applied = try await place.flywheel(
                "upstreams", "apply", try place.write(book, to: "book.yaml"))
            try #require(applied.status == 0, "\(applied.error)")
            try await body(place)
        }
    }

    @Test func `a book that would lead calls elsewhere is refused, with all that it brings`()
        async throws
    {
        try await Self.lend { place in
            let task = try await place.flywheel(
                "tasks", "apply", try place.write(Self.task, to: "task.yaml"))
            try #require(task.status == 0, "\(task.error)")
            func refusal(_ upstreams: String) async throws -> String {
                let text =
                    "upstreams: {\(upstreams)}\nprices: {x: {from: 2026-01-01, input: 1, output: 1}}\n"
                let answer = try await place.flywheel(
                    "upstreams", "apply", try place.write(text, to: "other.yaml"))
                #expect(answer.status == 65 && answer.output.isEmpty, "\(answer)")
                #expect(answer.error.contains("Nothing was applied"), "\(answer.error)")
                return answer.error
            }
            let url = "url: \"http://127.0.0.1:3/v1\""
            #expect(
                try await refusal("other: {\(url), models: [gpt-5]}").contains(
                    "the upstreams `frontier` and `other` would both list the model `gpt-5`"))
            #expect(
                try await refusal("other: {\(url), models: [capital]}").contains(
                    "a model called `capital`, which is a task"))
            #expect(
                try await refusal("frontir: null").contains("Did you mean `frontier`?"))
            #expect(
                try await refusal("frontier: null").contains(
                    "the task `capital` needs `frontier/gpt-5`"))
            #expect(
                try await refusal("frontier: {\(url), models: [gpt-5-mini]}").contains(
                    "the task `capital` needs `frontier/gpt-5`"))
            let prices = try await place.database.pool.value(
                "SELECT count(*)::int FROM flywheel.prices", as: Int.self)
            #expect(prices == 0)
            // What no task needs goes, and the file may go on saying so.
            let without = try place.write("upstreams: {spare: null}\n", to: "without.yaml")
            for told in ["Taken out: spare.", "Nothing changed."] {
                let gone = try await place.flywheel("upstreams", "apply", without)
                #expect(gone.output.contains(told), "\(gone)")
            }
        }
    }

    @Test func `a route to a model that its upstream does not list is refused`() async throws {
        try await Self.lend { place in
            _ = try await place.flywheel(
                "tasks", "apply", try place.write(Self.task, to: "task.yaml"))
            for (target, sentence) in [
                ("frontier/nope", "upstream `frontier` lists no model `nope`."),
                ("frontier/gpt-5-min", "Did you mean `gpt-5-mini`?"),
                ("fronteer/gpt-5", "Did you mean `frontier`?"),
            ] {
                let answer = try await place.flywheel("tasks", "route", "capital", "--to", target)
                #expect(answer.status == 65, "\(answer)")
                #expect(answer.error.contains(sentence), "\(answer.error)")
                #expect(answer.error.contains("The route of `capital` stays as it is."))
            }
            for target in ["spare/anything", "frontier/gpt-5-mini"] {
                let answer = try await place.flywheel("tasks", "route", "capital", "--to", target)
                #expect(answer.output.contains("capital is answered by \(target)."), "\(answer)")
            }
        }
    }
}

import FlywheelCore
import Foundation
import TestSupport
import Testing

/// `flywheel tasks apply`: what a file names is looked at before any of it counts.
extension `Books and task files` {
    @Test(
        arguments: [
            (
                "task: gpt-5\ngeneralist: {upstream: frontier, model: gpt-5}",
                ":1: task: `gpt-5` is a model of the upstream `frontier`"
            ),
            (
                "task: t\ngeneralist: {upstream: fronteer, model: gpt-5}",
                ":2: generalist.upstream: there is no upstream `fronteer`. Did you mean `frontier`? Nothing was applied."
            ),
            (
                "task: t\ngeneralist: {upstream: frontier, model: gpt-6}",
                ":2: generalist.model: upstream `frontier` lists no model `gpt-6`. Did you mean `gpt-5`? Nothing was applied."
            ),
            (
                "task: t\ngeneralist: {upstream: frontier, model: gpt-5}\nteacher: {upstream: spar, model: x}",
                ":3: teacher.upstream: there is no upstream `spar`"
            ),
            (
                "task: t\ngeneralist: {upstream: frontier, model: gpt-5}\nstudent: {base: smolm}",
                ":3: student.base: there is no model `smolm`. `flywheel models import FOLDER --name NAME` adds one."
            ),
            (
                "task: t\ngeneralist: {upstream: frontier, model: gpt-5}\ngolden: rows",
                ":3: golden: `rows` is a dataset, and no golden set"
            ),
            (
                "task: t\ngeneralist: {upstream: frontier, model: gpt-5}\ngolden: ./rows.jsonl",
                ":3: golden: `./rows.jsonl` is a file"
            ),
            (
                "task: t\ngeneralist: {upstream: frontier, model: gpt-5}\noutput: {schema: {type: objekt}}",
                ":3: output.schema.type: `objekt` is no type. Did you mean `object`? Nothing was applied."
            ),
            (
                "task: t\ngeneralist: {upstream: frontier, model: gpt-5}\noutput: {schema: {required: a}}",
                ":3: output.schema.required: `required` is a list of names"
            ),
        ])
    func `a task file that cannot be meant is refused whole, with its place`(
        file: String, sentence: String
    ) async throws {
        try await Self.lend { place in
            let rows = try place.write(Workplace.rows, to: "rows.jsonl")
            _ = try await place.flywheel("data", "import", rows, "--name", "rows")
            // What comes before the mistake is not applied either.
            let text = file + "\n---\n" + Self.task
            let path = try place.write(text, to: "task.yaml")
            let answer = try await place.flywheel("tasks", "apply", path)
            #expect(answer.status == 65, "\(answer)")
            #expect(answer.error.contains("task.yaml" + sentence), "\(answer.error)")
            #expect(answer.error.contains("Nothing was applied."), "\(answer.error)")
            let list = try await place.flywheel("tasks", "list", "--json")
            #expect(list.json == [])
        }
    }

    @Test func `what may come later is said, and a teacher that nobody will ask`() async throws {
        try await Self.lend { place in
            let text =
                Self.task + """
                    teacher: {upstream: frontier, model: gpt-5-mini}
                    student: {base: ./nowhere}
                    golden: capital-golden
                    output: {schema: {type: string, pattern: "^a"}}
                    """
            let applied = try await place.flywheel(
                "tasks", "apply", try place.write(text, to: "task.yaml"))
            #expect(applied.status == 0 && applied.output.contains("capital: version 1."))
            for note in [
                "capital: golden: there is no golden set `capital-golden` yet",
                "capital: student.base: there is no folder `./nowhere` here",
                "capital: output.schema.pattern: the keyword `pattern` is not known",
                "capital: teacher: `frontier/gpt-5-mini` is asked nothing, since the student's method is `sft`",
            ] {
                #expect(applied.error.contains(note), "\(applied.error)")
            }
        }
    }
}

import Jobs

/// The files that a person would write for the demo's models, tasks and examinations.
struct DemoSpecifications {
    let names: DemoNames
    let scale: DemoScale
    let generalist: DemoGeneralist

    /// Jobs that make what is there before the wheel turns: a generalist where none is rented, and where
    /// students begin.
    var beginnings: String {
        let seed = reading(
            names.seed, scale.student.text(tokenizer: generalist.isOurs ? names.reader : nil),
            epochs: scale.studentReadings, learningRate: 5e-3,
            after: generalist.isOurs ? [names.reader] : [])
        guard generalist.isOurs else { return seed }
        return [
            reading(
                names.reader, scale.generalist.text(), epochs: scale.readings, learningRate: 2e-3),
            """
            kind: train
            name: \(names.generalist)
            model: {base: \(names.reader)}
            data: \(names.lessons)@latest
            validation: {share: 0.02, everySteps: 200}
            schedule: {epochs: \(scale.lessons), learningRate: 1.5e-3, warmup: 0.05, decay: cosine}
            batch: {lanes: 4, rowTokens: 1024, order: shuffled, seed: 7}
            ranks: {min: 1, max: 2}
            checkpoint: {everySteps: 200}
            overlong: drop
            after: [\(names.reader)]

            """,
            seed,
        ].joined(separator: "---\n")
    }

    /// A model made from nothing that learns to go on with descriptions.
    private func reading(
        _ name: String, _ model: String, epochs: Int, learningRate: Double, after: [String] = []
    ) -> String {
        """
        kind: train
        name: \(name)
        model:
          new: \(model)
        data: \(names.texts)@latest
        validation: {share: 0.02, everySteps: 200}
        schedule: {epochs: \(epochs), learningRate: \(learningRate), warmup: 0.05, decay: cosine}
        batch: {lanes: 4, rowTokens: 1024, order: shuffled, seed: 7}
        ranks: {min: 1, max: 2}
        checkpoint: {everySteps: 200}
        overlong: drop
        after: [\(after.joined(separator: ", "))]

        """
    }

    /// The task file, for both tasks.
    var tasks: String {
        names.tasks.map { task in
            """
            task: \(task)
            generalist: \(generalist.text(names))
            teacher: \(generalist.teacherText(names))
            \(generalist.prompt.map { "prompt: {system: \"\($0)\"}\n" } ?? "")student:
              base: \(names.seed)
              method: {type: distill, mix: 0.5}
              schedule: {epochs: \(scale.studentLessons), learningRate: 2.0e-3, warmup: 0.05, decay: cosine}
              batch: {lanes: 4, rowTokens: 512, order: shuffled, seed: 7}
              ranks: {min: 1, max: 2}
              overlong: drop
            signals: {correction: {target: output, reward: 0}, accepted: {reward: 1}}
            golden: \(DemoNames.golden(of: task))
            graders: [{type: exact}]
            gate: {metric: accuracy, margin: 0.05}
            cycle: {money: \(generalist.money), hours: 1}

            """
        }.joined(separator: "---\n")
    }

    /// What it costs to own: the price book's slot-hour, and whom to rent from.
    func book(slotHour: Double) -> String {
        "prices:\n  slotHour: \(slotHour)\n" + generalist.book
    }

    /// The last turn's student against the generalist, and against the one of whose users nobody heard.
    func proofs(student: String, unheard: String) -> String {
        [generalist.examined(names), unheard].enumerated().map { index, incumbent in
            """
            kind: evaluate
            name: \(names.task)-proof-\(index + 1)
            model: \(student)
            incumbent: \(incumbent)
            golden: \(DemoNames.golden(of: names.task))@latest
            graders: [{type: exact}]
            gate: {metric: accuracy, margin: 0.02, promote: false}
            \(index == 0 ? generalist.examBudget : "")maxTokens: 12
            ranks: {min: 1, max: 2}

            """
        }.joined(separator: "---\n")
    }
}

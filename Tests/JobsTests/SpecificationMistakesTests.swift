import FlywheelCore
import Jobs
import Testing

/// One mistake in a specification, and what is said of it.
struct Mistake: Sendable, CustomTestStringConvertible {
    let text: String
    let line: Int?
    let field: String?
    /// Part of the sentence.
    let says: String

    var testDescription: String { says }

    /// `sample` with `right`, which occurs once, replaced by `wrong`.
    init(
        _ right: String, _ wrong: String, in sample: String = Sample.train, line: Int?,
        field: String?, says: String
    ) {
        precondition(sample.split(separator: right, omittingEmptySubsequences: false).count == 2)
        let text = sample.split(separator: right, omittingEmptySubsequences: false)
            .joined(separator: wrong)
        self.init(text: text, line: line, field: field, says: says)
    }

    init(text: String, line: Int?, field: String?, says: String) {
        self.text = text
        self.line = line
        self.field = field
        self.says = says
    }

    static let train: [Mistake] = [
        Mistake(
            "kind: train", "kind: trian", line: 1, field: "kind", says: "Did you mean `train`?"),
        Mistake("kind: train\n", "", line: 1, field: "kind", says: "`kind` is missing"),
        Mistake(
            "kind: train", "kind: report", line: 1, field: "kind",
            says: "`report` is none of `train`, `evaluate`, `distill`"),
        Mistake(
            "support-intent-3", "Support Intent", line: 2, field: "name", says: "is not a name"),
        Mistake(
            "support-intent-3", "2026", line: 2, field: "name",
            says: "expected text, found the whole number 2026. Put it in quotes"),
        Mistake(
            "hidden: 256", "hidden: 250", line: 3, field: "model.new.hidden",
            says: "does not give 8 heads an even size each"),
        Mistake(
            "hidden: 256", "hidden: 8192", line: 3, field: "model.new.heads",
            says: "8 heads of 8192 columns have 1024 each"),
        Mistake(
            "keyValueHeads: 2", "keyValueHeads: 2, headDimension: 5", line: 3,
            field: "model.new.headDimension", says: "a head of 5 columns has no pairs"),
        Mistake(
            "keyValueHeads: 2", "keyValueHeads: 2, window: 64", line: 3,
            field: "model.new.window", says: "layers of llama see everything before them"),
        Mistake(
            "keyValueHeads: 2", "keyValueHeads: 3", line: 3, field: "model.new.keyValueHeads",
            says: "3 does not divide 8 heads"),
        Mistake(
            "vocabulary: 4096", "vocabluary: 4096", line: 4, field: "model.new.vocabluary",
            says: "Did you mean `vocabulary`?"),
        Mistake(
            "architecture: llama", "architecture: mamba", line: 3, field: "model.new.architecture",
            says: "`mamba` is none of `llama`"),
        Mistake(
            "model: {new:", "model: {base: a, new:", line: 3, field: "model",
            says: "only one of `base` or `new`"),
        Mistake(
            "support-intent@latest", "support-intent@0", line: 5, field: "data",
            says: "names no dataset"),
        Mistake("data: support-intent@latest\n", "", line: 1, field: "data", says: "is missing"),
        Mistake(
            "type: sft", "type: grpo", line: 6, field: "method.type",
            says: "`grpo` is not available in this version"),
        Mistake(
            "type: sft", "type: dop", line: 6, field: "method.type", says: "Did you mean `dpo`?"),
        Mistake(
            "type: sft", "type: sft, beta: 0.1", line: 6, field: "method.beta",
            says: "method sft has no `beta`. Take it out, or write `type: dpo` or `type: kto`"),
        Mistake(
            "type: sft", "type: orpo, lamda: 0.1", line: 6, field: "method.lamda",
            says: "Did you mean `lambda`?"),
        Mistake(
            "type: sft", "type: orpo, lambda: 0", line: 6, field: "method.lambda",
            says: "Give a number above 0.0"),
        Mistake(
            "type: sft", "type: dpo, loss: hinge", line: 6, field: "method.loss",
            says: "`hinge` is none of `sigmoid`, `ipo`"),
        Mistake(
            "type: sft", "type: dpo, loss: ipo, labelSmoothing: 0.1", line: 6,
            field: "method.labelSmoothing", says: "the loss `ipo` has no label smoothing"),
        Mistake(
            "type: sft", "type: kto", line: 3, field: "model",
            says: "a new model thinks nothing. Write `model: {base: NAME}`"),
        Mistake(
            "method: {type: sft, adapter: {type: full}}\n",
            "method: {type: simpo}\nvalidation: {share: 0.1}\n",
            in: Sample.train.replacing("overlong: drop", with: "overlong: split"), line: 17,
            field: "overlong", says: "an answer that is compared as a whole cannot be split"),
        Mistake(
            "type: full", "type: lora, rank: 16, alpha: 32", line: 3, field: "model",
            says: "those of a new model know nothing"),
        Mistake(
            "type: full", "type: lroa", line: 6, field: "method.adapter.type",
            says: "Did you mean `lora`?"),
        Mistake(
            "type: full", "type: lora, rnak: 16", line: 6, field: "method.adapter.rnak",
            says: "Did you mean `rank`?"),
        Mistake(
            "type: full", "type: lora, rank: 0", line: 6, field: "method.adapter.rank",
            says: "Give a whole number from 1 to 4096"),
        Mistake(
            "type: full", "type: lora, dropout: 0.1", line: 6, field: "method.adapter.dropout",
            says: "dropout of adapters is not available"),
        Mistake(
            "type: full", "type: dora, targets: [q_pro]", line: 6,
            field: "method.adapter.targets[0]", says: "Did you mean `q_proj`?"),
        Mistake(
            "type: full", "type: full, targets: [q_proj]", line: 6,
            field: "method.adapter.targets", says: "which trains all weights, has no `targets`"),
        Mistake(
            "epochs: 2", "epochs: two", line: 8, field: "schedule.epochs",
            says: "expected a number, found the text `two`"),
        Mistake(
            "epochs: 2", "epochs: 0", line: 8, field: "schedule.epochs", says: "out of range"),
        Mistake(
            "epochs: 2", "epochs: 2\n  steps: 10", line: 9, field: "schedule",
            says: "only one of `epochs` or `steps`"),
        Mistake(
            "  epochs: 2\n", "", line: 8, field: "schedule", says: "`epochs` or `steps` is missing"),
        Mistake(
            "learningRate: 2.0e-4", "learning_rate: 2.0e-4", line: 9,
            field: "schedule.learning_rate", says: "Did you mean `learningRate`?"),
        Mistake(
            "learningRate: 2.0e-4", "learningRate: -1", line: 9, field: "schedule.learningRate",
            says: "Give a number from 0.0 to 10.0"),
        Mistake(
            "decay: cosine", "decay: 3", line: 11, field: "schedule.decay",
            says: "expected one of `cosine`, `linear`, `constant`, found the whole number 3"),
        Mistake(
            "warmup: 0.03", "warmup: 0.03\n  warmup: 0.1", line: 10, field: "warmup",
            says: "given more than once"),
        Mistake(
            "lanes: 8", "lanes: 6", line: 12, field: "batch.lanes", says: "not a power of two"),
        Mistake(
            "lanes: 8", "lanes: 2", line: 14, field: "ranks", says: "4 ranks cannot share 2 lanes"),
        Mistake(
            "rowTokens: 1024", "rowTokens: 1024.5", line: 12, field: "batch.rowTokens",
            says: "expected a whole number, found the number 1024.5"),
        Mistake(
            "rowTokens: 1024", "rowTokens: 4096", line: 12, field: "batch",
            says: "longer than the model's 2048 positions"),
        Mistake(
            "seed: 7", "seed: [7]", line: 12, field: "batch.seed",
            says: "expected a whole number, found a list"),
        Mistake(
            "precision: fp32", "precision: pf16", line: 13, field: "precision",
            says: "`pf16` is none of `fp32`, `bf16`, `auto`. Did you mean `bf16`?"),
        Mistake(
            "{min: 1, max: 4}", "{min: 5, max: 4}", line: 14, field: "ranks",
            says: "`min` (5) is greater than `max` (4)"),
        Mistake(
            "checkpoint: {everySteps: 50}", "checkpoint: 50", line: 15, field: "checkpoint",
            says: "expected an object, found the whole number 50"),
        Mistake("\noverlong: drop", "", line: 1, field: "overlong", says: "`overlong` is missing"),
        Mistake(
            "overlong: drop", "overlong: drop\nresources: {gpus: 1}", line: 17,
            field: "resources.gpus", says: "GPUs are not available in this version"),
        Mistake(
            "overlong: drop", "overlong: drop\nlimits: {api: 0}", line: 17,
            field: "limits.api", says: "0 is out of range"),
        Mistake(
            "overlong: drop", "overlong: drop\nlimits: {\"Two words\": 1}", line: 17,
            field: "limits.Two words", says: "`Two words` is not a name"),
        Mistake(
            "overlong: drop", "overlong: drop\nlimit: {api: 1}", line: 17,
            field: "limit", says: "Did you mean `limits`?"),
        Mistake(
            "overlong: drop", "overlong: drop\nvalidation: {share: 0.1, data: a}", line: 17,
            field: "validation", says: "only one of `share` or `data`"),
        Mistake(
            "order: shuffled", "order: shuffled}", line: 12, field: nil, says: "not valid YAML"),
        Mistake("  warmup", "\twarmup", line: 10, field: nil, says: "not valid YAML"),
    ]

    static let evaluate: [Mistake] = [
        evaluate(
            "support-intent-3@1", "support-intent-3@0", line: 3, field: "model",
            says: "versions count from 1"),
        evaluate(
            "support-intent-2@4", "{upstream: frontier, model: gpt-5}", line: 4,
            field: "budget", says: "`budget` is missing. An upstream costs money: add"),
        evaluate(
            "support-intent-2@4", "{upstream: frontier}", line: 4, field: "incumbent.model",
            says: "`model` is missing"),
        evaluate(
            "support-intent-2@4", "{upstream: frontier, modle: gpt-5}", line: 4,
            field: "incumbent.modle", says: "Did you mean `model`?"),
        evaluate(
            "support-intent-2@4", "{upstream: frontier, model: gpt-5}\nbudget: {mony: 1}", line: 5,
            field: "budget.mony", says: "Did you mean `money`?"),
        evaluate(
            "support-intent-2@4", "{upstream: frontier, model: gpt-5}\nbudget: {money: 0}",
            line: 5, field: "budget.money", says: "out of range"),
        evaluate(
            "support-intent-2@4", "a@1\nbudget: {money: 1}", line: 5, field: "budget",
            says: "nothing in this exam costs money by the call"),
        evaluate(
            "{type: exact}", "{type: judge, model: a}", line: 6, field: "graders[0].model",
            says: "Did you mean `mode`?"),
        evaluate(
            "{type: exact}", "{type: judge}", line: 6, field: "graders[0].judge",
            says: "`judge` is missing"),
        evaluate(
            "{type: exact}", "{type: exact, field: a}", line: 6, field: "graders[0].field",
            says: "unknown key `field`"),
        evaluate("{type: exact}", "", line: 6, field: "graders", says: "Give at least one"),
        evaluate(
            "{type: exact}", "{type: exakt}", line: 6, field: "graders[0].type",
            says: "Did you mean `exact`?"),
        evaluate(
            "{type: exact}", "{type: exact}, {type: exact}", line: 6, field: "graders",
            says: "grader 2 is called `exact`, as another is. Give it a `name` of its own"),
        evaluate(
            "{type: exact}", "{type: exact, name: accuracy}", line: 6, field: "graders",
            says: "which is what the first grader's share is called"),
        evaluate(
            "{type: exact}", "{type: regex, pattern: '(a'}", line: 6,
            field: "graders[0].pattern", says: "a `(` is not closed"),
        evaluate(
            "{type: exact}", "{type: regex, pattern: a, group: 1}", line: 6,
            field: "graders[0].group", says: "the pattern has no groups"),
        evaluate(
            "{type: exact}", "{type: json, schema: {tpye: object}}", line: 6,
            field: "graders[0].schema.tpye", says: "Did you mean `type`?"),
        evaluate(
            "{type: exact}", "{type: json, field: a, fields: [b]}", line: 6,
            field: "graders[0]", says: "only one of `field` or `fields`"),
        evaluate(
            "{type: exact}", "{type: numeric, tolerence: 1}", line: 6,
            field: "graders[0].tolerence", says: "Did you mean `tolerance`?"),
        evaluate(
            "{type: exact}", "{type: multi, graders: {a: {type: exact}}, calculate: 2 * b}",
            line: 6, field: "graders[0].calculate", says: "no grader is called `b`"),
        evaluate(
            "{type: exact}", "{type: multi, graders: {a: {type: exact}}, weights: {b: 1}}",
            line: 6, field: "graders[0].weights.b", says: "unknown key `b`"),
        evaluate(
            "margin: 0.01", "slice: domain=a", line: 7, field: "gate.slice",
            says: "Name the field in `slices`, as `slices: [domain]`"),
        evaluate(
            "margin: 0.01", "require: [{margin: 0.1}]", line: 7, field: "gate.metric",
            says: "`metric` belongs into the conditions of `require`"),
        evaluate(
            "metric: accuracy", "metric: acuracy", line: 7, field: "gate.metric",
            says: "Did you mean `accuracy`?"),
        evaluate(
            "promote: true", "promote: yes", line: 7, field: "gate.promote",
            says: "expected true or false, found the text `yes`"),
        evaluate(
            "golden: ", "goldne: ", line: 5, field: "goldne", says: "Did you mean `golden`?"),
        evaluate(
            "incumbent: support-intent-2@4", "slices: {by: [domain], rowMin: 3}", line: 4,
            field: "slices.rowMin", says: "Did you mean `rowsMin`?"),
        evaluate(
            "17]", "0]", line: 8, field: "after[1]", says: "0 is out of range"),
    ]

    private static func evaluate(
        _ right: String, _ wrong: String, line: Int?, field: String?, says: String
    ) -> Mistake {
        Mistake(right, wrong, in: Sample.evaluate, line: line, field: field, says: says)
    }

    static let whole: [Mistake] = [
        Mistake(text: "", line: nil, field: nil, says: "no job in it"),
        Mistake(text: "- a\n- b", line: 1, field: nil, says: "found a list"),
        Mistake(text: "just words", line: 1, field: nil, says: "found the text `just words`"),
        Mistake(text: "{a: *nothing}", line: 1, field: nil, says: "undefined alias"),
        Mistake(text: "{[1, 2]: 3}", line: 1, field: nil, says: "a key must be a plain name"),
        Mistake(
            text: Sample.train + "\n---\nkind: evaluate\nname: a\nmodel: b\ngoldne: c", line: 21,
            field: "goldne", says: "unknown key `goldne`"),
        Mistake(
            text: String(repeating: "[", count: 40) + String(repeating: "]", count: 40), line: 1,
            field: nil, says: "nested deeper than"),
        Mistake(
            text: String(repeating: "# filler\n", count: 40_000), line: nil, field: nil,
            says: "larger than"),
    ]
}

@Suite struct SpecificationMistakes {
    @Test(arguments: Mistake.train + Mistake.evaluate + Mistake.whole)
    func `a mistake gets a sentence with file, line and field`(mistake: Mistake) throws {
        let error = try #require(throws: InputError.self) {
            try JobSpecification.parse(yaml: mistake.text, file: "job.yaml")
        }
        #expect(error.file == "job.yaml")
        #expect(error.line == mistake.line, "\(error)")
        #expect(error.field == mistake.field, "\(error)")
        #expect(error.description.contains(mistake.says), "\(error)")
    }

    @Test func `an exploding text is refused at once`() throws {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...12 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        let error = try #require(throws: InputError.self) {
            try JobSpecification.parse(yaml: text, file: "job.yaml")
        }
        #expect(error.problem == "more than 12 aliases (`*name`)")
    }

    @Test func `stored JSON is checked as YAML is, without lines`() throws {
        let error = try #require(throws: InputError.self) {
            try JobSpecification(json: ["kind": "train", "name": "a", "modle": 3])
        }
        #expect(
            error
                == InputError(
                    field: "modle", "unknown key `modle`", remedy: "Did you mean `model`?"))
    }

    @Test func `a resolved folder cannot leave its folder`() throws {
        var job = try JobSpecification.parse(yaml: Sample.train, file: nil)[0]
        job.envelope.resolved = [.base: .folder(files: ["../../etc/passwd": Digest(of: "a")])]
        let error = try #require(throws: InputError.self) { try JobSpecification(json: job.json) }
        #expect(error.problem == "`../../etc/passwd` is not the name of a file in a folder")
    }
}

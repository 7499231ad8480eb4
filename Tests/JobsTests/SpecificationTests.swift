import FlywheelCore
import Graders
import Jobs
import Testing

/// A specification that is right, to be made wrong in one place.
enum Sample {
    static let train = """
        kind: train
        name: support-intent-3
        model: {new: {architecture: llama, hidden: 256, layers: 6, heads: 8, keyValueHeads: 2,
                      intermediate: 704, vocabulary: 4096}}
        data: support-intent@latest
        method: {type: sft, adapter: {type: full}}
        schedule:
          epochs: 2
          learningRate: 2.0e-4
          warmup: 0.03
          decay: cosine
        batch: {lanes: 8, rowTokens: 1024, order: shuffled, seed: 7}
        precision: fp32
        ranks: {min: 1, max: 4}
        checkpoint: {everySteps: 50}
        overlong: drop
        """

    static let evaluate = """
        kind: evaluate
        name: support-intent-exam
        model: support-intent-3@1
        incumbent: support-intent-2@4
        golden: support-intent-golden@latest
        graders: [{type: exact}]
        gate: {metric: accuracy, margin: 0.01, promote: true}
        after: [support-intent-3, 17]
        """

    /// An exam with everything that one can have.
    static let exam = """
        kind: evaluate
        name: exam
        model: support@3
        models: [a@1, b]
        golden: golden.jsonl
        graders:
          - {type: json, fields: [intent, {path: tags, compare: set}],
             schema: {type: object, required: [intent]}}
          - {type: exact, name: words, ignoreCase: true, whitespace: collapse}
          - {type: numeric, name: number, after: "A:", tolerance: 0.5}
          - {type: multi, name: total, graders: {a: {type: exact}, b: {type: numeric}},
             calculate: "max(a, 0.5 * b)"}
          - {type: regex, name: captured, pattern: "(?i)answer: (\\\\w+)", group: 1, match: full}
        slices: {by: [domain, expected], rowsMin: 5}
        gate:
          require:
            - {margin: 0.02}
            - {metric: json.intent, slice: "domain=banking", margin: 0.03, atLeast: 0.7}
            - {metric: words, slice: "expected=*"}
          promote: true
        """

    static func trainSpecification() throws -> TrainSpecification {
        guard case .train(let train) = try JobSpecification.parse(yaml: train, file: nil)[0] else {
            throw InputError("not a train job")
        }
        return train
    }
}

@Suite struct Specifications {
    @Test func `a train job reads as it is written`() throws {
        let train = try Sample.trainSpecification()
        #expect(train.envelope.name == "support-intent-3")
        #expect(train.envelope.ranks == JobEnvelope.Ranks(min: 1, max: 4))
        #expect(train.data == .latest(name: "support-intent"))
        #expect(
            train.model
                == .new(
                    .init(
                        hidden: 256, layers: 6, heads: 8, keyValueHeads: 2, intermediate: 704,
                        vocabulary: 4096)))
        #expect(train.schedule.length == .epochs(2))
        #expect(train.schedule.learningRate == 2e-4)
        #expect(train.batch == .init(lanes: 8, rowTokens: 1_024))
        #expect(train.overlong == .drop)
    }

    @Test func `what is left out has its default`() throws {
        let text = """
            {kind: train, name: a, model: {base: ./base}, data: rows.jsonl,
             schedule: {steps: 3, learningRate: 0.1}, overlong: cut}
            """
        guard case .train(let train) = try JobSpecification.parse(yaml: text, file: nil)[0] else {
            Issue.record("not a train job")
            return
        }
        #expect(
            train
                == TrainSpecification(
                    envelope: JobEnvelope(name: "a"), model: .base(.folder(path: "./base")),
                    data: .file(path: "rows.jsonl"),
                    schedule: .init(length: .steps(3), learningRate: 0.1), overlong: .cut))
        #expect(train.envelope.retries == JobEnvelope.Retries(failures: 3, losses: 20))
        #expect(train.validation == .init(source: .share(0.02), everySteps: 50, patience: nil))
        #expect(train.batch.lanes == 8)
    }

    @Test func `an evaluate job reads as it is written`() throws {
        guard
            case .evaluate(let exam) = try JobSpecification.parse(yaml: Sample.evaluate, file: nil)[
                0]
        else {
            Issue.record("not an evaluate job")
            return
        }
        #expect(exam.model == .version(name: "support-intent-3", 1))
        #expect(exam.incumbent == .registry(.version(name: "support-intent-2", 4)))
        #expect(
            exam.gate == .init(require: [.init(metric: "accuracy", margin: 0.01)], promote: true))
        #expect(exam.envelope.after == [.name("support-intent-3"), .id(JobID(rawValue: 17))])
    }

    @Test func `a file may hold several jobs`() throws {
        let jobs = try JobSpecification.parse(
            yaml: Sample.train + "\n---\n" + Sample.evaluate, file: nil)
        #expect(jobs.map(\.kind) == [.train, .evaluate])
    }

    @Test func `an exam names its graders, slices and the conditions of its gate`() throws {
        guard
            case .evaluate(let exam) = try JobSpecification.parse(
                yaml: Sample.exam, file: "exam.yaml")[0]
        else {
            Issue.record("not an evaluate job")
            return
        }
        #expect(
            exam.marking.metrics.map(\.name) == [
                "accuracy", "json", "json.intent", "json.tags", "json.valid", "words", "number",
                "total", "total.a", "total.b", "captured",
            ])
        #expect(exam.others == [.version(name: "a", 1), .current(name: "b")])
        #expect(exam.slices == .init(by: ["domain", "expected"], rowsMin: 5))
        #expect(
            exam.gate?.require == [
                .init(margin: 0.02),
                .init(metric: "json.intent", slice: "domain=banking", margin: 0.03, atLeast: 0.7),
                .init(metric: "words", slice: "expected=*"),
            ])
        #expect(JobSpecification.evaluate(exam).models[.other(1)] == .current(name: "b"))
    }

    @Test(arguments: [Sample.train, Sample.evaluate, Sample.exam])
    func `the canonical JSON reads as the same specification`(text: String) throws {
        let job = try JobSpecification.parse(yaml: text, file: nil)[0]
        let stored = try JSONValue(parsing: job.json.canonical.utf8)
        #expect(try JobSpecification(json: stored) == job)
        #expect(try JobSpecification(json: stored).digest == job.digest)
    }

    @Test(arguments: [
        ("{type: dpo}", TrainSpecification.Comparison.dpo(beta: 0.1, smoothing: 0, loss: .sigmoid)),
        (
            "{type: dpo, beta: 0.3, labelSmoothing: 0.1}",
            .dpo(beta: 0.3, smoothing: 0.1, loss: .sigmoid)
        ),
        ("{type: dpo, loss: ipo}", .dpo(beta: 0.1, smoothing: 0, loss: .ipo)),
        ("{type: kto, undesirable: 1.3}", .kto(beta: 0.1, desirable: 1, undesirable: 1.3)),
        ("{type: orpo}", .orpo(lambda: 0.1)),
        ("{type: simpo, gamma: 0.5}", .simpo(beta: 2, gamma: 0.5)),
    ])
    func `a method that compares answers has its own settings`(
        text: String, comparison: TrainSpecification.Comparison
    ) throws {
        let yaml = """
            {kind: train, name: a, model: {base: ./base}, data: rows.jsonl, method: \(text),
             schedule: {steps: 3, learningRate: 0.1}, overlong: cut}
            """
        let job = try JobSpecification.parse(yaml: yaml, file: nil)[0]
        guard case .train(let train) = job else {
            Issue.record("not a train job")
            return
        }
        #expect(train.comparison == comparison)
        #expect(try JobSpecification(json: JSONValue(parsing: job.json.canonical.utf8)) == job)
    }

    @Test(arguments: [
        ("full", TrainSpecification.Adapter.full), ("lora", .lowRank(.init())),
        (
            "{type: rslora, rank: 4, targets: [v_proj, q_proj], dropout: 0}",
            .lowRank(.init(kind: .rslora, rank: 4, targets: [.queries, .values]))
        ),
        ("{type: dora, alpha: 8}", .lowRank(.init(kind: .dora, alpha: 8))),
    ])
    func `an adapter is named, or has its settings`(
        text: String, adapter: TrainSpecification.Adapter
    ) throws {
        let yaml = """
            {kind: train, name: a, model: {base: ./base}, data: rows.jsonl, overlong: cut,
             method: {type: sft, adapter: \(text)}, schedule: {steps: 3, learningRate: 0.1}}
            """
        let job = try JobSpecification.parse(yaml: yaml, file: nil)[0]
        guard case .train(let train) = job else {
            Issue.record("not a train job")
            return
        }
        #expect(train.adapter == adapter)
        #expect(try JobSpecification(json: JSONValue(parsing: job.json.canonical.utf8)) == job)
    }

    @Test(arguments: 0..<200)
    func `any specification survives its canonical JSON`(seed: UInt64) throws {
        var numbers = SpecificationNumbers(seed: seed)
        let job = numbers.job()
        let stored = try JSONValue(parsing: job.json.canonical.utf8)
        #expect(try JobSpecification(json: stored) == job, "seed \(seed)")
    }

    @Test func `a spelled-out default changes nothing`() throws {
        let plain = try JobSpecification.parse(yaml: Sample.train, file: nil)[0]
        let spelled = try JobSpecification.parse(
            yaml: Sample.train + "\npriority: 0\ntenant: default\nretries: {losses: 20}\n",
            file: nil)[0]
        #expect(plain.digest == spelled.digest)
        let other = try JobSpecification.parse(yaml: Sample.train + "\npriority: 1", file: nil)[0]
        #expect(plain.digest != other.digest)
    }

    @Test func `inputs are pinned by role`() throws {
        var job = JobSpecification.train(try Sample.trainSpecification())
        #expect(job.datasets == [.data: .latest(name: "support-intent")])
        #expect(job.models.isEmpty)
        #expect(!job.isResolved)
        let digest = Digest(of: "rows")
        job.datasets = [.data: .version(name: "support-intent", digest)]
        job.envelope.resolved = [.data: .dataset(digest, rows: 3)]
        #expect(job.isResolved)
        #expect(
            job.json["resolved"]?["data"] == [
                "dataset": ["digest": .string(digest.hex), "rows": 3]
            ])
        #expect(job.json["data"] == .string("support-intent@\(digest)"))
    }
}

@Suite struct SpecificationSettings {
    private func job(_ settings: String...) throws -> JobSpecification {
        let settings = try settings.map { try SpecificationSetting(parsing: $0) }
        return try JobSpecification.parse(yaml: Sample.train, file: "a.yaml", settings: settings)[0]
    }

    @Test func `a setting replaces, adds and takes out`() throws {
        let job = try job(
            "schedule.epochs=null", "schedule.steps=12", "validation.share=0", "after=[3, 4]",
            "name=other")
        #expect(job.envelope.name == "other")
        #expect(job.envelope.after == [.id(JobID(rawValue: 3)), .id(JobID(rawValue: 4))])
        guard case .train(let train) = job else { return }
        #expect(train.schedule.length == .steps(12))
        #expect(train.validation.source == .share(0))
    }

    @Test func `a wrong setting is said to be one`() throws {
        #expect(
            throws: InputError(
                file: "--set", field: "schedule.epochs", "expected a number, found the text `two`")
        ) {
            try job("schedule.epochs=two")
        }
        #expect {
            try job("schedule.epocs=2")
        } throws: { error in
            (error as? InputError)?.remedy == "Did you mean `epochs`?"
        }
        #expect {
            try job("data.name=2")
        } throws: { error in
            (error as? InputError)?.problem
                == "`data` is not an object but the text `support-intent@latest`"
        }
        #expect(throws: InputError.self) { try job("epochs") }
        #expect(throws: InputError.self) { try job("a..b=1") }
    }
}

@Suite struct References {
    @Test func `datasets`() throws {
        let digest = Digest(of: "a")
        #expect(DatasetReference("a") == .latest(name: "a"))
        #expect(DatasetReference("a@latest") == .latest(name: "a"))
        #expect(DatasetReference("a@\(digest)") == .version(name: "a", digest))
        #expect(DatasetReference("a@3") == .number(name: "a", 3))
        #expect(DatasetReference("a.jsonl") == .file(path: "a.jsonl"))
        #expect(DatasetReference("a.json") == .file(path: "a.json"))
        #expect(DatasetReference("/a/b") == .file(path: "/a/b"))
        for bad in ["", "@", "A", "a@", "a@0", "a@03", "a@latest@latest", "-a", "a b"] {
            #expect(DatasetReference(bad) == nil, "\(bad)")
        }
    }

    @Test func `models`() {
        #expect(ModelReference("a") == .current(name: "a"))
        #expect(ModelReference("a@3") == .version(name: "a", 3))
        #expect(ModelReference("./a") == .folder(path: "./a"))
        #expect(ModelReference("models/a") == .folder(path: "models/a"))
        for bad in ["", "@1", "a@0", "a@-1", "a@x", "a@latest", "a@", "Ä"] {
            #expect(ModelReference(bad) == nil, "\(bad)")
        }
    }

    @Test func `a folder is named by its weights, or else by its files`() {
        let (weights, config) = (Digest(of: "weights"), Digest(of: "config"))
        let files = ["model.safetensors": weights, "config.json": config]
        #expect(ResolvedInput.folder(files: files) == .folder(weights, files: files))
        let tokenizer = ["tokenizer.json": config]
        let other = ["tokenizer.json": weights]
        #expect(ResolvedInput.folder(files: tokenizer) != ResolvedInput.folder(files: other))
    }
}

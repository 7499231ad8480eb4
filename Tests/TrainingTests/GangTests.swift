import FlywheelCore
import Foundation
import Jobs
import Tensors
import Testing

@Suite(.serialized) struct `A gang under mpirun` {
    @Test func `of one, two or three ranks makes one and the same model`() throws {
        var digests: Set<Digest> = []
        for ranks in 1...3 {
            var drill = try GangDrill()
            drill.threads = ranks == 2 ? 2 : 1
            let result = try drill.run(ranks: ranks)
            #expect(result.status == 0)
            let digest = try drill.modelDigest(fence: 1)
            digests.insert(digest)
            #expect(result.steps.map(\.step) == Array(1...result.steps.count))
            #expect(result.steps.last?.weightsDigest == digest)
            guard case .done(let value) = result.events.last else {
                Issue.record("ended with \(String(describing: result.events.last))")
                continue
            }
            #expect(value["digest"]?.string == digest.hex)
            #expect(value["steps"]?.integer == Int64(result.steps.count))
            let model = drill.folder.path + "/attempt-1/model"
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: model).sorted() == [
                    "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
                    "tokenizer_config.json",
                ])
        }
        #expect(digests.count == 1)
    }

    @Test func `goes on from a base, with its tokenizer and its shape`() throws {
        var drill = try GangDrill()
        let first = try drill.run(ranks: 1)
        let base = drill.folder.path + "/attempt-1/model"
        drill.inputs["base"] = base
        if case .object(var members) = drill.specification {
            members["model"] = ["base": "./model"]
            drill.specification = .object(members)
        }
        // Checkpoints of the first training are not of this one.
        let (one, two) = (try drill.run(ranks: 1, fence: 2), try drill.run(ranks: 2, fence: 3))
        #expect(one.status == 0 && two.status == 0)
        #expect(try drill.modelDigest(fence: 2) == drill.modelDigest(fence: 3))
        #expect(try drill.modelDigest(fence: 2) != drill.modelDigest(fence: 1))
        // It begins where the base ended, not where that began.
        let (start, end) = (try #require(first.steps.first), try #require(first.steps.last))
        let again = try #require(one.steps.first)
        #expect(abs(again.loss - end.loss) < abs(again.loss - start.loss))
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            #expect(
                FileManager.default.contents(atPath: "\(base)/\(name)")
                    == FileManager.default.contents(
                        atPath: "\(drill.folder.path)/attempt-2/model/\(name)"))
        }
    }

    @Test func `compares answers with what its base thought, whoever dies meanwhile`() throws {
        let start = try GangDrill()
        #expect(try start.run(ranks: 1).status == 0)
        let base = start.folder.path + "/attempt-1/model"
        let methods: [JSONValue] = [
            ["type": "dpo", "beta": 0.2], ["type": "orpo", "lambda": 0.5], ["type": "kto"],
        ]
        for method in methods {
            let drill = try GangDrill().comparing(method, from: base)
            let alone = try drill.run(ranks: 1, fence: 2)
            #expect(alone.status == 0, "\(method)")
            let digest = try drill.modelDigest(fence: 2)

            // Another node, which knows of no reference that was taken before.
            let other = try GangDrill().comparing(method, from: base)
            let left = try other.run(ranks: 3, fence: 2) { event, gang in
                if case .step(let record) = event, record.step == 4 { gang.ask(.leave) }
            }
            let checkpoint = try #require(left.checkpoints.last)
            let resumed = try other.run(ranks: 2, fence: 3, from: checkpoint)
            #expect(resumed.status == 0)
            #expect(try other.modelDigest(fence: 3) == digest)
            let steps = left.steps + resumed.steps
            #expect(steps.map(\.metrics) == alone.steps.map(\.metrics))
            #expect(steps.allSatisfy { $0.metrics?["accuracy"] != nil })
            #expect(
                alone.events.contains {
                    if case .evaluation(_, "accuracy", _, _) = $0 { true } else { false }
                })
        }
    }

    @Test func `trains an adapter, whose model is as good a base as any, whoever dies meanwhile`()
        throws
    {
        let start = try GangDrill()
        #expect(try start.run(ranks: 1).status == 0)
        let base = start.folder.path + "/attempt-1/model"
        func drill(_ adapter: JSONValue, from base: String) throws -> GangDrill {
            var drill = try GangDrill()
            drill.inputs["base"] = base
            if case .object(var members) = drill.specification {
                members["model"] = ["base": "./model"]
                members["method"] = ["type": "sft", "adapter": adapter]
                drill.specification = .object(members)
            }
            return drill
        }
        let adapter: JSONValue = ["type": "lora", "rank": 4, "alpha": 8]
        let one = try drill(adapter, from: base)
        let alone = try one.run(ranks: 1)
        #expect(alone.status == 0)
        let digest = try one.modelDigest(fence: 1)
        #expect(try digest != start.modelDigest(fence: 1))
        let model = one.folder.path + "/attempt-1/model"
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: model).sorted() == [
                "adapter.json", "adapter.safetensors", "config.json", "generation_config.json",
                "model.safetensors", "tokenizer.json", "tokenizer_config.json",
            ])
        // Checkpoints name the adapter, which is what is trained.
        #expect(
            try alone.steps.last?.weightsDigest
                == Digest(ofFile: model + "/adapter.safetensors"))

        let other = try drill(adapter, from: base)
        let left = try other.run(ranks: 3) { event, gang in
            if case .step(let record) = event, record.step == 4 { gang.ask(.leave) }
        }
        let checkpoint = try #require(left.checkpoints.last)
        let resumed = try other.run(ranks: 2, fence: 2, from: checkpoint)
        #expect(resumed.status == 0)
        #expect(try other.modelDigest(fence: 2) == digest)

        // What came out is learned from further, with another adapter, and whole.
        for adapter: JSONValue in [["type": "dora", "rank": 2, "targets": ["lm_head"]], "full"] {
            let next = try drill(adapter, from: model)
            #expect(try next.run(ranks: 2).status == 0)
            #expect(try next.modelDigest(fence: 1) != digest)
        }
    }

    @Test func `loses a rank, ends at once, and resumes to the same model`() throws {
        let reference = try GangDrill().lasting()
        #expect(try reference.run(ranks: 1).status == 0)

        let drill = try GangDrill().lasting()
        let killed = try drill.run(ranks: 3) { event, gang in
            if case .step(let record) = event, record.step == 120 { gang.killRank(2) }
        }
        #expect(killed.status != 0 || killed.reason == .uncaughtSignal)
        #expect(killed.duration < .seconds(30))
        #expect(!killed.events.contains { if case .failed = $0 { true } else { false } })
        let checkpoint = try #require(killed.checkpoints.last)
        #expect(checkpoint.step >= 100)
        #expect(killed.steps.count < 600)

        let resumed = try drill.run(ranks: 2, fence: 2, from: checkpoint)
        #expect(resumed.status == 0)
        #expect(resumed.steps.first?.step == checkpoint.step + 1)
        #expect(try drill.modelDigest(fence: 2) == reference.modelDigest(fence: 1))
    }

    @Test func `leaves when asked to, and goes on from there`() throws {
        let reference = try GangDrill().lasting()
        #expect(try reference.run(ranks: 2).status == 0)

        let drill = try GangDrill().lasting()
        let left = try drill.run(ranks: 2) { event, gang in
            if case .started = event { gang.ask(.leave) }
        }
        #expect(left.status == 0)
        #expect(left.events.last == .left(.leave))
        let checkpoint = try #require(left.checkpoints.last)
        #expect(checkpoint.step == left.steps.last?.step)
        #expect(checkpoint.step < 600)

        let resumed = try drill.run(ranks: 3, fence: 2, from: checkpoint)
        #expect(resumed.status == 0)
        #expect(
            (left.steps + resumed.steps).map(\.step)
                == Array(1...(left.steps.count + resumed.steps.count)))
        #expect(try drill.modelDigest(fence: 2) == reference.modelDigest(fence: 1))
    }

    @Test func `cancels when asked to`() throws {
        let result = try GangDrill().lasting().run(ranks: 2) { event, gang in
            if case .started = event { gang.ask(.cancel) }
        }
        #expect(result.status == 0)
        #expect(result.events.last == .left(.cancel))
    }

    @Test func `names the row that cannot be used, and exits with 65`() throws {
        let drill = try GangDrill()
        try drill.write(
            #"{"messages": [{"role": "assistant", "content": "yes"}]}"# + "\n{\"no\": 1}\n")
        let result = try drill.run(ranks: 2)
        #expect(result.status == 65)
        guard case .failed(let reason, let isInput) = result.events.last else {
            Issue.record("ended with \(String(describing: result.events.last))")
            return
        }
        #expect(isInput)
        #expect(reason.contains("rows.jsonl:2"))
    }

    @Test func `refuses a checkpoint of another specification`() throws {
        var drill = try GangDrill()
        let first = try drill.run(ranks: 1)
        if case .object(var members) = drill.specification {
            members["schedule"] = ["epochs": 2, "learningRate": 0.002]
            drill.specification = .object(members)
        }
        let result = try drill.run(ranks: 2, fence: 2, from: first.checkpoints.last)
        #expect(result.status == 1)
        guard case .failed(let reason, let isInput) = result.events.last else {
            Issue.record("ended with \(String(describing: result.events.last))")
            return
        }
        #expect(!isInput)
        #expect(reason.contains("another specification"))
    }
}

@Suite(
    .serialized,
    .enabled(
        if: Precision.bf16.missing == nil,
        "bf16 products need oneDNN, and a processor with AVX512_BF16 or AMX"))
struct `A gang in bf16` {
    @Test func `of one or two ranks makes one and the same model, also when it is killed`() throws {
        let reference = try GangDrill().asking("bf16").lasting()
        let whole = try reference.run(ranks: 1)
        #expect(whole.status == 0)
        let profiles = whole.events.compactMap { event -> String? in
            if case .started(_, let profile, _) = event { profile } else { nil }
        }
        #expect(profiles == [Precision.bf16.profile.name])

        var drill = try GangDrill().asking("bf16").lasting()
        drill.threads = 2
        let killed = try drill.run(ranks: 2) { event, gang in
            if case .step(let record) = event, record.step == 120 { gang.killRank(1) }
        }
        #expect(killed.status != 0 || killed.reason == .uncaughtSignal)
        let checkpoint = try #require(killed.checkpoints.last)
        let resumed = try drill.run(ranks: 2, fence: 2, from: checkpoint)
        #expect(resumed.status == 0)
        #expect(try drill.modelDigest(fence: 2) == reference.modelDigest(fence: 1))

        // In fp32 it is another model, and a checkpoint of one is not the other's.
        let exact = try drill.asking("fp32").run(ranks: 1, fence: 3, from: checkpoint)
        #expect(exact.status == 1)
        guard case .failed(let reason, _) = exact.events.last else {
            Issue.record("ended with \(String(describing: exact.events.last))")
            return
        }
        #expect(reason.contains("specification") || reason.contains("profile"))
    }

    @Test func `is what auto means`() throws {
        let (auto, bf16) = (try GangDrill().asking("auto"), try GangDrill().asking("bf16"))
        #expect(try auto.run(ranks: 1).status == 0 && bf16.run(ranks: 1).status == 0)
        #expect(try auto.modelDigest(fence: 1) == bf16.modelDigest(fence: 1))
    }
}

@Suite(.enabled(if: Precision.bf16.missing != nil, "this machine multiplies bf16"))
struct `A gang without bf16` {
    @Test func `says so where bf16 is asked for`() throws {
        let result = try GangDrill().asking("bf16").run(ranks: 2)
        #expect(result.status == 65)
        guard case .failed(let reason, let isInput) = result.events.last else {
            Issue.record("ended with \(String(describing: result.events.last))")
            return
        }
        #expect(isInput && reason.contains("cannot compute in bf16"))
    }
}

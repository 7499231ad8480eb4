import Artifacts
import FlywheelCore
import Foundation
import Synchronization
import Testing
import Training

@Suite struct `A checkpoint` {
    @Test func `resumes, at every step, to the weights of an uninterrupted training`() throws {
        var drill = Drill()
        drill.settings.keepsBest = true
        let straight = try drill.run(in: TemporaryFolder())
        for step in 1..<straight.steps.count {
            let folder = try TemporaryFolder()
            let first = try drill.run(ranks: 1 + step % 3, in: folder) {
                $0 == step - 1 ? .leave : nil
            }
            #expect(first.outcome == .left(.leave))
            let file = try #require(first.checkpoints.last)
            #expect(file.step == step)
            let second = try drill.run(
                ranks: 1 + step % 4, in: folder, fence: 2, resuming: file.path)
            #expect(second.weights == straight.weights, "left after step \(step)")
            #expect(second.outcome == straight.outcome)
            #expect(second.checkpoints.last?.digest == straight.checkpoints.last?.digest)
            #expect(
                (first.steps + second.steps).map(\.loss) == straight.steps.map(\.loss))
            #expect(first.validations + second.validations == straight.validations)
        }
    }

    @Test func `is named by step and fence, and hashes as its file does`() throws {
        let folder = try TemporaryFolder()
        let file = try #require(try Drill().run(in: folder, fence: 41).checkpoints.last)
        #expect(file.path == "\(folder.path)/checkpoint-\(file.step)-41.safetensors")
        #expect(file.digest == (try Digest(ofFile: file.path)))
        let size = try FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int64
        #expect(file.bytes == size)
    }

    @Test func `names its weights as the file of the model would be named`() throws {
        let folder = try TemporaryFolder()
        let last = try #require(try Drill().run(in: folder).checkpoints.last)
        let file = try SafetensorsFile(contentsOf: last.path)
        var tensors: [(name: String, shape: [Int], values: [Float])] = []
        for tensor in file.tensors where !tensor.name.hasPrefix("adam.") {
            let values = try unsafe file.withBytes(of: tensor.name) {
                unsafe Array($0.assumingMemoryBound(to: Float.self))
            }
            tensors.append((tensor.name, tensor.shape, values))
        }
        #expect(tensors.map(\.name) == ["table.weight", "bias"])
        let digest = try unsafe tensors[0].values.withUnsafeBufferPointer { table in
            try unsafe tensors[1].values.withUnsafeBufferPointer { bias in
                try unsafe SafetensorsWriter.write(
                    [
                        (tensors[0].name, tensors[0].shape, table),
                        (tensors[1].name, tensors[1].shape, bias),
                    ], metadata: ["format": "pt"], to: folder.path + "/model.safetensors")
            }
        }
        #expect(last.weightsDigest == digest)
    }

    @Test func `replaces those that earlier attempts left`() throws {
        let folder = try TemporaryFolder()
        var drill = Drill()
        drill.settings.checkpointSteps = 1
        let strangers = ["checkpoint-1-9.safetensors", "notes.txt"]
        for name in strangers + ["checkpoint-2-0.safetensors"] {
            try Data("x".utf8).write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
        }
        let result = try drill.run(in: folder, fence: 5)
        let last = result.steps.count
        // A later fence's file is not ours to remove; an earlier one's is; our own are the worker's to
        // remove, as it commits them.
        let own = (1...last).map { "checkpoint-\($0)-5.safetensors" }
        #expect(Set(folder.names) == Set(strangers + own))
    }

    @Test func `leaves the one resumed from to whoever commits a newer one`() throws {
        let folder = try TemporaryFolder()
        var drill = Drill()
        drill.settings.checkpointSteps = 1
        let first = try drill.run(in: folder, fence: 1) { $0 == 1 ? .leave : nil }
        let resumed = try #require(first.checkpoints.last).path
        _ = try drill.run(in: folder, fence: 2, resuming: resumed)
        #expect(FileManager.default.fileExists(atPath: resumed))
    }

    @Test func `cut short, or changed where it matters, is refused`() throws {
        let folder = try TemporaryFolder()
        let drill = Drill()
        let file = try #require(
            try drill.run(in: folder, request: { $0 == 2 ? .leave : nil }).checkpoints.last)
        let whole = try Data(contentsOf: URL(fileURLWithPath: file.path))
        for size in [0, 7, 8, 100, 500, whole.count / 2, whole.count - 4, whole.count - 1] {
            try whole.prefix(size).write(to: URL(fileURLWithPath: file.path))
            let error = #expect(throws: TrainingError.self, "\(size) bytes") {
                try drill.run(in: folder, fence: 2, resuming: file.path)
            }
            #expect(error?.description.contains("The checkpoint was not used") == true)
        }
        #expect(throws: TrainingError.self) {
            try drill.run(in: folder, fence: 2, resuming: folder.path + "/none.safetensors")
        }
    }

    @Test func `of another training is refused, and the sentence says in what it differs`() throws {
        let folder = try TemporaryFolder()
        let drill = Drill()
        let path = try #require(
            try drill.run(in: folder, request: { $0 == 2 ? .leave : nil }).checkpoints.last
        ).path
        func refusal(_ change: (inout Drill) -> Void) -> String {
            var other = drill
            change(&other)
            let error = #expect(throws: TrainingError.self) {
                try other.run(in: folder, fence: 2, resuming: path)
            }
            return error?.description ?? ""
        }
        #expect(
            refusal { $0.identity.specification = Digest(of: "other") }
                .contains("another specification"))
        #expect(refusal { $0.identity.data = Digest(of: "other") }.contains("other data"))
        #expect(refusal { $0.identity.numericProfile = "bf16" }.contains("profile `test`"))
        #expect(refusal { $0.vocabulary = 25 }.contains("tensors"))
        #expect(refusal { $0.length = .epochs(1) }.contains("number of steps"))
    }
}

@Suite struct `A request` {
    @Test func `to leave is obeyed by all ranks after the same step, with a checkpoint`() throws {
        let result = try Drill().run(ranks: 3, in: TemporaryFolder()) { $0 == 4 ? .leave : nil }
        #expect(result.outcome == .left(.leave))
        #expect(result.steps.count == 5)
        #expect(result.checkpoints.last?.step == 5)
    }

    @Test func `to cancel is obeyed without one`() throws {
        let result = try Drill().run(ranks: 3, in: TemporaryFolder()) { $0 == 4 ? .cancel : nil }
        #expect(result.outcome == .left(.cancel))
        #expect(result.steps.count == 5)
        #expect(result.checkpoints.last?.step == 3)
    }

    @Test func `to leave during the last step finds the work done`() throws {
        let last = try Drill().plan().steps.count
        let result = try Drill().run(in: TemporaryFolder()) { $0 == last - 1 ? .leave : nil }
        guard case .finished = result.outcome else {
            Issue.record("\(result.outcome)")
            return
        }
    }
}

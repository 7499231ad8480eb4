import Artifacts
public import FlywheelCore
import Foundation
import Models

/// A checkpoint on disk: all it takes to resume at a step.
public struct CheckpointFile: Sendable, Equatable {
    /// Updates done.
    public var step: Int
    public var path: String
    public var bytes: Int64
    /// Of the file.
    ///
    /// Equal trainings give equal files, whatever their ranks and interruptions.
    public var digest: Digest
    /// Of `model.safetensors` with these weights.
    public var weightsDigest: Digest
}

/// Where one attempt leaves its checkpoints, named `checkpoint-<step>-<fence>.safetensors`.
///
/// A file holds the weights under their own names, AdamW's moments as `adam.first.*` and
/// `adam.second.*`, and, where the best weights are to come out and are not the current ones, these as
/// `best.*`; its metadata say which training it belongs to and where that stood.
public final class CheckpointFolder {
    let path: String
    let fence: Int64
    let identity: RunIdentity
    /// What this attempt resumed from: committed, and the newest until one of its own is.
    private var resumed: String?
    private var hasSwept = false

    public init(_ path: String, fence: Int64, identity: RunIdentity) {
        self.path = path
        self.fence = fence
        self.identity = identity
    }

    func write(
        _ state: TrainerState, _ weights: UnsafeMutableBufferPointer<Float>,
        _ layout: ParameterLayout, stepsTotal: Int, weightsDigest: Digest
    ) throws -> CheckpointFile {
        let file = "\(path)/checkpoint-\(state.step)-\(fence).safetensors"
        var tensors = unsafe layout.tensors(in: UnsafeBufferPointer(weights))
        unsafe tensors += layout.tensors(
            in: UnsafeBufferPointer(state.first), prefix: CheckpointKey.first)
        unsafe tensors += layout.tensors(
            in: UnsafeBufferPointer(state.second), prefix: CheckpointKey.second)
        if let best = unsafe state.bestWeights, state.best?.step != state.step {
            unsafe tensors += layout.tensors(
                in: UnsafeBufferPointer(best), prefix: CheckpointKey.best)
        }
        let metadata = CheckpointMetadata(
            identity: identity, layout: layout.digest, stepsTotal: stepsTotal, step: state.step,
            loss: state.loss, best: state.best,
            validationsSinceBest: state.validationsSinceBest)
        let digest = try unsafe SafetensorsWriter.write(
            tensors, metadata: metadata.members, to: file)
        let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int64
        sweep()
        return CheckpointFile(
            step: state.step, path: file, bytes: size ?? 0, digest: digest,
            weightsDigest: weightsDigest)
    }

    /// Removes, once, what earlier attempts left and nobody will resume from.
    ///
    /// Nothing of this attempt: only the worker, which commits its checkpoints and may be far behind,
    /// knows which of them are replaced. Files of later fences belong to whoever took over.
    private func sweep() {
        guard !hasSwept else { return }
        hasSwept = true
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        for name in names {
            let candidate = "\(path)/\(name)"
            guard let match = name.wholeMatch(of: /checkpoint-\d+-(\d+)\.safetensors/),
                let owner = Int64(match.1), owner < fence, candidate != resumed
            else { continue }
            try? FileManager.default.removeItem(atPath: candidate)
        }
    }

    func read(
        _ path: String, into state: TrainerState, _ weights: UnsafeMutableBufferPointer<Float>,
        _ layout: ParameterLayout, stepsTotal: Int
    ) throws {
        let file: SafetensorsFile
        do {
            file = try SafetensorsFile(contentsOf: path)
        } catch let error as InputError {
            throw TrainingError.checkpoint(path: path, problem: error.problem)
        }
        let found = try CheckpointMetadata(file.metadata, path: path)
        try found.check(against: identity, layout: layout, stepsTotal: stepsTotal, path: path)
        try unsafe layout.fill(weights, from: file)
        try unsafe layout.fill(state.first, from: file, prefix: CheckpointKey.first)
        try unsafe layout.fill(state.second, from: file, prefix: CheckpointKey.second)
        if let best = unsafe state.bestWeights, let at = found.best {
            let prefix = at.step == found.step ? "" : CheckpointKey.best
            try unsafe layout.fill(best, from: file, prefix: prefix)
        }
        state.step = found.step
        state.loss = found.loss
        state.best = found.best
        state.validationsSinceBest = found.validationsSinceBest
        resumed = path
    }
}

/// Prefixes of tensors that are not the current weights.
enum CheckpointKey {
    static let first = "adam.first."
    static let second = "adam.second."
    static let best = "best."
}

/// The digest that `model.safetensors` has with `parameters`: tensors in the order of the layout,
/// single precision, marked as a PyTorch file, as our exporter writes it.
func weightsDigest(_ parameters: UnsafeBufferPointer<Float>, _ layout: ParameterLayout) -> Digest {
    unsafe SafetensorsWriter.digest(
        of: layout.tensors(in: parameters), metadata: ["format": "pt"])
}

extension ParameterLayout {
    /// The tensors as a file lists them, without the padding between them.
    func tensors(
        in values: UnsafeBufferPointer<Float>, prefix: String = ""
    ) -> [(name: String, shape: [Int], values: UnsafeBufferPointer<Float>)] {
        unsafe entries.map { entry in
            unsafe (
                prefix + entry.name, entry.shape,
                UnsafeBufferPointer(rebasing: values[entry.offset..<entry.offset + entry.count])
            )
        }
    }

    func fill(
        _ values: UnsafeMutableBufferPointer<Float>, from file: SafetensorsFile,
        prefix: String = ""
    ) throws {
        for entry in entries {
            let name = prefix + entry.name
            guard let tensor = file.tensor(named: name), tensor.type == .f32,
                tensor.shape == entry.shape
            else {
                throw TrainingError.checkpoint(
                    path: file.path, problem: "it has no tensor \(name) of shape \(entry.shape)")
            }
            try unsafe file.withBytes(of: name) { bytes in
                let room = unsafe UnsafeMutableBufferPointer(
                    rebasing: values[entry.offset..<entry.offset + entry.count])
                unsafe UnsafeMutableRawBufferPointer(room).copyMemory(from: bytes)
            }
        }
    }

    /// Of the names, shapes and decay of all tensors: what is trained, and how.
    var digest: Digest {
        Digest(
            of: entries.map { "\($0.name) \($0.shape) \($0.isDecayed)" }.joined(separator: "\n"))
    }
}

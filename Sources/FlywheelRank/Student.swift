import FlywheelCore
import Foundation
import Jobs
import Models
import Training

/// What is trained: a model, or an adapter beside one.
enum Student {
    case whole(Transformer)
    case adapted(AdaptedTransformer)

    /// The first of a rank's learners.
    var learner: any Learner {
        switch self {
        case .whole(let model): model
        case .adapted(let model): model
        }
    }

    /// Another for a thread of its own.
    func helper() -> any Learner {
        switch self {
        case .whole(let model):
            Transformer(sharing: model, rowTokensMax: model.rowTokensMax, isTraining: true)
        case .adapted(let model): AdaptedTransformer(sharing: model)
        }
    }

    /// Parameters that learn.
    var trainable: Int { learner.layout.entries.reduce(0) { $0 + $1.count } }

    /// Writes the files of the model that comes out, and of its adapter where it has one; returns the digest
    /// of the model's weights.
    ///
    /// - Parameter base: what people call the model that it was trained from.
    func write(folder: String, base: String) throws -> Digest {
        switch self {
        case .whole(let model): return try model.write(folder: folder)
        case .adapted(let model):
            let digest = try model.merged().write(folder: folder)
            try model.writeAdapter(
                configuration: folder + "/adapter.json", weights: folder + "/adapter.safetensors",
                base: base)
            return digest
        }
    }
}

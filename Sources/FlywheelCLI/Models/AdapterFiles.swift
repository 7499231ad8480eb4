import FlywheelCore
import Jobs
import Models
import Stores

/// What of a model's files is its adapter alone.
///
/// They have names of their own: where a folder has an `adapter_config.json` beside its weights, transformers
/// takes the weights for those of the base.
enum AdapterFiles {
    static let configuration = "adapter.json"
    static let weights = "adapter.safetensors"

    /// The files of `record` under the names that PEFT reads; throws where all its weights were trained.
    static func named(of record: ModelRecord) throws(InputError) -> [String: Digest] {
        guard let configuration = record.files[configuration],
            let weights = record.files[weights]
        else {
            throw InputError(
                "\(record.title) has no adapter: all its weights were trained, or it was imported",
                remedy: "Nothing was written. Leave `--adapter` out for the model itself.")
        }
        return [
            AdaptedTransformer.configurationFile: configuration,
            AdaptedTransformer.weightsFile: weights,
        ]
    }

    /// The files of `record` that are the model, whatever it was trained as.
    static func without(_ record: ModelRecord) -> [String: Digest] {
        record.files.filter { $0.key != configuration && $0.key != weights }
    }
}

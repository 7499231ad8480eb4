import Artifacts
public import FlywheelCore
import Foundation
public import Tensors

extension Transformer {
    /// Reads a Hugging Face folder: `config.json`, with the ends of answers that
    /// `generation_config.json` names, and `model.safetensors`, or shards with an index.
    ///
    /// Elements of type F32, BF16 and F16 become fp32. Throws `InputError` naming file and field.
    public convenience init(
        folder: String, rowTokensMax: Int, isTraining: Bool, precision: Precision = .fp32,
        isFrozen: Bool = false
    ) throws {
        let configuration = try TransformerConfiguration(folder: folder)
        let files = try WeightFiles(folder: folder)
        // Before memory is taken for what a configuration merely claims.
        let layout = ParameterLayout(configuration)
        try files.check(layout, tied: configuration.tiedHead)
        self.init(
            configuration: configuration, rowTokensMax: rowTokensMax, isTraining: isTraining,
            precision: precision, isFrozen: isFrozen)
        for entry in layout.entries {
            let values = unsafe UnsafeMutableBufferPointer(
                rebasing: parameters[entry.offset..<(entry.offset + entry.count)])
            try unsafe files.read(entry.name, into: values)
        }
        parametersChanged()
    }

    /// Writes `config.json`, `generation_config.json` and, last, `model.safetensors` into `folder`,
    /// which is made if need be; returns the digest of the weights' file.
    @discardableResult
    public func write(folder: String) throws -> Digest {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try writeDurably(configuration.json, to: folder + "/config.json")
        try writeDurably(configuration.generationJSON, to: folder + "/generation_config.json")
        let tensors = unsafe layout.entries.map { entry in
            unsafe (
                name: entry.name, shape: entry.shape,
                values: UnsafeBufferPointer(
                    rebasing: parameters[entry.offset..<(entry.offset + entry.count)])
            )
        }
        return try unsafe SafetensorsWriter.write(
            tensors, metadata: ["format": "pt"], to: folder + "/model.safetensors")
    }
}

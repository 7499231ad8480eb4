import Artifacts
public import FlywheelCore
import Foundation

extension AdaptedTransformer {
    /// What PEFT calls the files of an adapter.
    public static let configurationFile = "adapter_config.json"
    public static let weightsFile = "adapter_model.safetensors"

    /// Writes the adapter alone as PEFT reads it; returns the digest of its weights' file.
    ///
    /// - Parameter base: a name or folder by which people find the base.
    @discardableResult
    public func writeAdapter(configuration: String, weights: String, base: String) throws -> Digest
    {
        try writeDurably(adapter.json(base: base), to: configuration)
        let tensors = unsafe layout.entries.map { entry in
            unsafe (
                name: entry.name, shape: entry.shape,
                values: UnsafeBufferPointer(
                    rebasing: parameters[entry.offset..<(entry.offset + entry.count)])
            )
        }
        return try unsafe SafetensorsWriter.write(
            tensors, metadata: ["format": "pt"], to: weights)
    }
}

extension AdapterConfiguration {
    /// `adapter_config.json`.
    func json(base: String) -> String {
        let members: [(String, JSONValue)] = [
            ("base_model_name_or_path", .string(base)),
            ("bias", "none"),
            ("fan_in_fan_out", false),
            ("inference_mode", true),
            ("init_lora_weights", true),
            ("lora_alpha", .number(alpha)),
            ("lora_dropout", 0.0),
            ("modules_to_save", .null),
            ("peft_type", "LORA"),
            ("r", .integer(Int64(rank))),
            ("target_modules", .array(targets.map { .string($0.rawValue) })),
            ("task_type", "CAUSAL_LM"),
            ("use_dora", .boolean(kind == .dora)),
            ("use_rslora", .boolean(kind == .rslora)),
        ]
        let lines = members.map { "  \"\($0.0)\": \($0.1.canonical)" }
        return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
    }
}

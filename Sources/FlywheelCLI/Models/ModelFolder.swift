import Artifacts
import FlywheelCore
import Foundation
import Models
import Tokenizers

/// A folder in Hugging Face's layout, on its way into the artifacts.
struct ModelFolder {
    let path: String
    /// The files that belong to a model, by name.
    let names: [String]

    /// Throws `InputError` where there is no such folder.
    init(_ path: String) throws {
        var isFolder: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
            isFolder.boolValue
        else {
            throw InputError(
                file: path, "there is no such folder",
                remedy: "Paths are read from the current folder.")
        }
        self.path = path
        // Weights in other formats, pictures and notes stay where they are.
        let endings: Set = ["json", "safetensors", "jinja", "model", "tiktoken", "txt"]
        names = try FileManager.default.contentsOfDirectory(atPath: path).filter { name in
            !name.hasPrefix(".") && endings.contains(URL(fileURLWithPath: name).pathExtension)
        }.sorted()
    }

    /// Adds the files to `store`; their digests by name.
    ///
    /// A file of ranks is converted: the model gets a `tokenizer.json`, which is all that is read later.
    /// Throws `InputError` where one is missing that a model, or else a tokenizer, cannot be without.
    func add(to store: ArtifactStore, isModel: Bool) throws -> [String: Digest] {
        let ranks = Tokenizer.rankFile(in: path)
        for name in isModel ? ["config.json", "model.safetensors"] : ["tokenizer.json"]
        where !names.contains(name) && (isModel || ranks == nil) {
            throw InputError(
                file: path, "the folder has no \(name)",
                remedy: isModel && names.contains("model.safetensors.index.json")
                    ? "This version reads models of one file: save the model without shards."
                    : "Give a folder in Hugging Face's layout.")
        }
        // Read as ranks will, so that what they would refuse is refused now.
        if isModel { _ = try Llama(folder: path, rowTokensMax: 64, isTraining: false) }
        let isKnown = names.contains("tokenizer.json")
        let tokenizer = isKnown || ranks != nil ? try Tokenizer(folder: path) : nil
        var files: [String: Digest] = [:]
        for name in names { files[name] = try store.add(file: "\(path)/\(name)").digest }
        if let tokenizer, !isKnown {
            files["tokenizer.json"] = try store.add(tokenizer.json).digest
        }
        return files
    }

    /// The number of weights in `model.safetensors`.
    func parameters() throws -> Int64 {
        let file = try SafetensorsFile(contentsOf: path + "/model.safetensors")
        return file.tensors.reduce(0) { $0 + Int64($1.count) }
    }
}

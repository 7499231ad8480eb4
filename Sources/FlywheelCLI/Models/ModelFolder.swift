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
        // Weights in other formats, pictures and notes stay where they are, and so do shards.
        let endings: Set = ["json", "jinja", "model", "tiktoken", "txt"]
        names = try FileManager.default.contentsOfDirectory(atPath: path).filter { name in
            name == WeightFiles.single || name == AdapterFiles.weights
                || !name.hasPrefix(".") && name != WeightFiles.index
                    && endings.contains(URL(fileURLWithPath: name).pathExtension)
        }.sorted()
    }

    /// Adds the files to `store`; their digests by name.
    ///
    /// Shards become one `model.safetensors`, whose digest is that of the model, with the tensors as they
    /// are in order of their names. A file of ranks is converted: the model gets a `tokenizer.json`, which
    /// is all that is read later. Throws `InputError` where a file is missing that a model, or else a
    /// tokenizer, cannot be without.
    func add(to store: ArtifactStore, isModel: Bool) throws -> [String: Digest] {
        let ranks = Tokenizer.rankFile(in: path)
        let isSharded = isModel && !names.contains(WeightFiles.single) && hasIndex
        for name in isModel ? ["config.json", WeightFiles.single] : ["tokenizer.json"]
        where !names.contains(name) && (isModel || ranks == nil)
            && !(name == WeightFiles.single && isSharded)
        {
            throw InputError(
                file: path, "the folder has no \(name)",
                remedy: "Give a folder in Hugging Face's layout.")
        }
        // Read as ranks will, so that what they would refuse is refused now.
        if isModel { _ = try Transformer(folder: path, rowTokensMax: 64, isTraining: false) }
        let isKnown = names.contains("tokenizer.json")
        let tokenizer = isKnown || ranks != nil ? try Tokenizer(folder: path) : nil
        if let tokenizer { _ = try ChatTemplate(folder: path, tokenizer: tokenizer) }
        if tokenizer == nil, names.contains("vocab.json") {
            throw InputError(
                file: path, "vocab.json and merges.txt do not say how texts are cut",
                remedy: "Nothing was added. Save the model's tokenizer.json beside them: "
                    + "`AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)` writes it.")
        }
        var files: [String: Digest] = [:]
        for name in names { files[name] = try store.add(file: "\(path)/\(name)").digest }
        if isSharded {
            let shards = try WeightFiles(folder: path).files
            files[WeightFiles.single] = try store.add(merging: shards).digest
        }
        if let tokenizer, !isKnown {
            files["tokenizer.json"] = try store.add(tokenizer.json).digest
        }
        return files
    }

    private var hasIndex: Bool {
        FileManager.default.fileExists(atPath: "\(path)/\(WeightFiles.index)")
    }

    /// The number of weights.
    func parameters() throws -> Int64 {
        try WeightFiles(folder: path).files.reduce(0) { sum, file in
            sum + file.tensors.reduce(0) { $0 + Int64($1.count) }
        }
    }
}

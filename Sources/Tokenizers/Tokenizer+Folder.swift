import FlywheelCore
import Foundation

extension Tokenizer {
    /// Reads the tokenizer of a model's folder: its `tokenizer.json` or, where there is none, its file
    /// of ranks (`tokenizer.model` or one ending in `.tiktoken`), converted.
    ///
    /// A file of ranks does not say how texts are cut, so only published ones are read, known by their
    /// digest: Llama 3's and `cl100k_base`. Throws `InputError` for others.
    public init(folder: String) throws {
        let path = folder + "/tokenizer.json"
        if !FileManager.default.fileExists(atPath: path), let ranks = Self.rankFile(in: folder) {
            try self.init(ranksOf: "\(folder)/\(ranks)")
        } else {
            try self.init(contentsOf: path)
        }
    }

    /// The name of the file of ranks, or of SentencePiece's, in `folder`.
    public static func rankFile(in folder: String) -> String? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0 == "tokenizer.model" || $0.hasSuffix(".tiktoken") }.min()
    }

    /// Reads the file of ranks at `path`, which must be one of those published that we know.
    public init(ranksOf path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw InputError(
                file: path, "the file cannot be read", remedy: "Check the path and its permissions."
            )
        }
        do throws(InputError) {
            let ranks = try RankFile(parsing: Array(data))
            let digest = Digest(of: Array(data)).hex
            guard let family = RankFile.Family.all.first(where: { $0.digest == digest }) else {
                let known = RankFile.Family.all.map(\.name).joined(separator: ", ")
                throw InputError(
                    "a file of ranks does not say how texts are cut, and this is none of \(known)",
                    remedy: "Nothing was read. Give the model's tokenizer.json.")
            }
            try self.init(parsing: ranks.json(family))
        } catch {
            throw error.inFile(path)
        }
    }
}

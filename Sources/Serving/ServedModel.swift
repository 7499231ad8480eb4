public import FlywheelCore
import Foundation
import Generation
import Models
public import Tensors
import Tokenizers

/// A model in memory, and how it is called and spoken to.
public struct ServedModel: Sendable {
    /// What answers say they are from; the first of `names`.
    public let name: String
    /// What requests may call it.
    let names: [String]
    /// Of `model.safetensors`; of the shards' digests, in order, where there are several.
    public let digest: Digest
    /// When it was loaded, in seconds since 1970.
    let created: Int
    let configuration: TransformerConfiguration
    let tokenizer: Tokenizer
    let template: ChatTemplate
    /// The tokens that end an answer.
    let ends: Set<Int32>
    let weights: Weights
    private let profile: NumericProfile

    /// Parameters that nobody changes any more, for the threads that compute with them.
    ///
    /// A `Transformer` belongs to one thread because of its working memory; threads take only the
    /// parameters from this one, through `Transformer(sharing:)`, and those are constant once loaded.
    final class Weights: @unchecked Sendable {
        private let loaded: Transformer

        init(_ loaded: Transformer) { self.loaded = loaded }

        /// A model over these parameters for the calling thread.
        func model() -> Transformer { Transformer(sharing: loaded, rowTokensMax: 1) }
    }

    /// Reads a Hugging Face folder; throws `InputError` naming the file that cannot be used.
    public init(folder: String, names: [String], precision: Precision = .fp32) throws {
        tokenizer = try Tokenizer(folder: folder)
        template = try ChatTemplate(folder: folder, tokenizer: tokenizer)
        let model = try Transformer(
            folder: folder, rowTokensMax: 1, isTraining: false, precision: precision)
        profile = precision.profile
        configuration = model.configuration
        ends = Set(configuration.eos + tokenizer.ends(of: template))
        weights = Weights(model)
        digest = try Self.digest(folder)
        self.names = names
        name = names.first ?? folder
        created = Int(Date().timeIntervalSince1970)
    }

    /// Which weights and which arithmetic: equal fingerprints give equal bits.
    public var fingerprint: String {
        let profile = profile.name.map { $0.isLetter || $0.isNumber ? $0 : "-" }
        return "fp_\(digest.hex.prefix(12))_" + String(profile)
    }

    private static func digest(_ folder: String) throws -> Digest {
        let single = "\(folder)/\(WeightFiles.single)"
        if FileManager.default.fileExists(atPath: single) { return try Digest(ofFile: single) }
        let shards = try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { $0.hasSuffix(".safetensors") }.sorted()
        return Digest(of: try shards.map { try Digest(ofFile: "\(folder)/\($0)").hex }.joined())
    }
}

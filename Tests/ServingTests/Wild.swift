import Foundation
import Models
import TestSupport

/// A model of chance, which hardly ever ends an answer, with the golden one's tokenizer.
enum Wild {
    static func lend<Output>(
        positions: Int = 4096, vocabulary: Int = 320,
        _ body: (_ folder: String) async throws -> Output
    ) async throws -> Output {
        try await temporaryFolder { place in
            let folder = "\(place)/wild"
            let model = Transformer(
                configuration: TransformerConfiguration(
                    hidden: 64, layers: 3, heads: 4, keyValueHeads: 2, intermediate: 96,
                    vocabulary: vocabulary, positionsMax: positions, initializerRange: 0.2),
                rowTokensMax: 1, isTraining: false)
            model.initialize(seed: 11)
            try model.write(folder: folder)
            for name in ["tokenizer.json", "tokenizer_config.json"] {
                try FileManager.default.copyItem(
                    atPath: "\(ServerProcess.golden)/\(name)", toPath: "\(folder)/\(name)")
            }
            return try await body(folder)
        }
    }
}

import Foundation
import Models
import TestSupport
import Testing

private let storiesFolder = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]
    .map { $0 + "/stories260k" }

/// A real trained model of one megabyte, with outputs recorded in fp64.
@Suite(.enabled(if: storiesFolder != nil, "set FLYWHEEL_TEST_DATA to the data folder"))
struct StoriesModel {
    struct Reference: Decodable {
        struct Greedy: Decodable {
            var ids: [Int32]
            var mean_nll_of_ids: Double
            var first_step_top5: [[Double]]
        }
        var greedy: [Greedy]
    }

    @Test func `likelihoods and first logits equal the recorded ones`() throws {
        let folder = try #require(storiesFolder)
        let model = try Llama(folder: folder, rowTokensMax: 512, isTraining: false)
        let text = try Data(contentsOf: URL(fileURLWithPath: folder + "/reference_outputs.json"))
        let reference = try JSONDecoder().decode(Reference.self, from: text)
        #expect(!reference.greedy.isEmpty)
        for it in reference.greedy {
            let row = PackedRow(
                tokens: it.ids, documentStarts: [0], targets: it.ids.dropFirst() + [0],
                weights: it.ids.indices.map { $0 == it.ids.count - 1 ? 0 : 1 })
            let mean = model.lossSum(of: row) / Double(it.ids.count - 1)
            #expect(abs(mean - it.mean_nll_of_ids) < 2e-6)
            // The first step is the one after the begin-of-text token, whatever the prompt.
            let logits = model.logits(of: row)[0]
            for pair in it.first_step_top5 {
                #expect(abs(Double(logits[Int(pair[0])]) - pair[1]) < 2e-5)
            }
        }
    }
}

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
            var prompt_ids: [Int32]
            var ids: [Int32]
            var mean_nll_of_ids: Double
            var smallest_top2_logit_gap: Double
            var first_step_top5: [[Double]]
        }
        struct Likelihood: Decodable {
            var ids: [Int32]
            var mean_nll: Double
        }
        var greedy: [Greedy]
        var likelihood: [Likelihood]
    }

    /// All but the last token are learned from.
    static func row(_ ids: [Int32]) -> PackedRow {
        PackedRow(
            tokens: ids, documentStarts: [0], targets: ids.dropFirst() + [0],
            weights: ids.indices.map { $0 == ids.count - 1 ? 0 : 1 })
    }

    static func meanLoss(_ model: Transformer, _ ids: [Int32]) -> Double {
        model.lossSum(of: row(ids)) / Double(ids.count - 1)
    }

    @Test func `losses, first logits and smallest gaps equal the recorded ones`() throws {
        let folder = try #require(storiesFolder)
        let model = try Transformer(folder: folder, rowTokensMax: 512, isTraining: false)
        let text = try Data(contentsOf: URL(fileURLWithPath: folder + "/reference_outputs.json"))
        let reference = try JSONDecoder().decode(Reference.self, from: text)
        #expect(!reference.greedy.isEmpty)
        for it in reference.greedy {
            #expect(abs(Self.meanLoss(model, it.ids) - it.mean_nll_of_ids) < 2e-6)
            // The first step is the one after the begin-of-text token, whatever the prompt.
            let logits = model.logits(of: Self.row(it.ids))
            for pair in it.first_step_top5 {
                #expect(abs(Double(logits[0][Int(pair[0])]) - pair[1]) < 2e-5)
            }
            let best = logits[0].indices.sorted { logits[0][$0] > logits[0][$1] }.prefix(5)
            #expect(best.elementsEqual(it.first_step_top5.map { Int($0[0]) }))
            let gaps = logits[(it.prompt_ids.count - 1)...].dropLast().map { row in
                let two = row.sorted(by: >).prefix(2)
                return Double(two[0] - two[1])
            }
            #expect(abs((gaps.min() ?? 0) - it.smallest_top2_logit_gap) < 2e-5)
        }
        #expect(!reference.likelihood.isEmpty)
        for it in reference.likelihood {
            #expect(abs(Self.meanLoss(model, it.ids) - it.mean_nll) < 2e-6)
        }
    }
}

import Foundation
import Generation
import Testing

/// What transformers' processors leave to choose from: written by `scripts/goldens/sampling.py`.
@Suite struct `Sampling as transformers does` {
    struct Expected: Decodable {
        struct Case: Decodable, Sendable {
            var logits: [Float]
            var context: [Int32]
            var temperature: Double
            var topK: Int?
            var topP: Double?
            var minP: Double?
            var repetitionPenalty: Double?
            var logitBias: [String: Double]
            /// The probability of each token in the end; 0 of those left out.
            var left: [Double]
        }
        var cases: [Case]
    }

    static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Goldens/sampling.json")

    @Test func `leaves the same tokens at the same probabilities`() throws {
        let expected = try JSONDecoder().decode(Expected.self, from: Data(contentsOf: Self.golden))
        #expect(expected.cases.count == 40)
        for it in expected.cases {
            var sampling = Sampling(
                maxTokens: 1, temperature: it.temperature, topK: it.topK, topP: it.topP)
            sampling.minP = it.minP
            sampling.repetitionPenalty = it.repetitionPenalty ?? 1
            for (token, bias) in it.logitBias {
                sampling.logitBias[try #require(Int32(token))] = bias
            }
            var logits = it.logits
            sampling.adjust(&logits, TokenHistory(prompt: it.context))
            let probabilities = ReferenceSampler(sampling: sampling)
                .softmax(logits.map { Double($0) }).map { Float($0) }
            // A token owns the interval of u that its probability is long; rounding blurs its ends.
            var (start, blur) = (0.0, 1e-4)
            for (token, probability) in it.left.enumerated() {
                for u in [start + blur, start + probability - blur] where probability > 3 * blur {
                    #expect(sampling.choose(probabilities, u) == token, "\(it)")
                }
                start += probability
            }
            for u in stride(from: 0.0005, to: 1, by: 0.001) {
                #expect(it.left[Int(sampling.choose(probabilities, u))] > 0)
            }
        }
    }
}

import Foundation
import Models
import TestSupport
import Testing

/// What transformers computed for a small random Llama: written by `scripts/goldens/llama.py`.
@Suite struct GoldenLlama {
    struct Expected: Decodable {
        struct Gradient: Decodable {
            var norm: Double
            var first: [Double]
        }
        var tokens: [Int32]
        var logits: [[Double]]
        var losses: [Double]
        var gradient: [String: Gradient]
    }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Goldens/llama").path

    let expected: Expected
    let model: Transformer
    let row: PackedRow

    init() throws {
        let text = try Data(contentsOf: URL(fileURLWithPath: Self.folder + "/expected.json"))
        expected = try JSONDecoder().decode(Expected.self, from: text)
        model = try Transformer(folder: Self.folder, rowTokensMax: 64, isTraining: true)
        let count = expected.tokens.count
        row = PackedRow(
            tokens: expected.tokens, documentStarts: [0],
            targets: expected.tokens.dropFirst() + [0],
            weights: (0..<count).map { $0 == count - 1 ? 0 : 1 })
    }

    /// Transformers' logits are in fp64, so the difference is all ours.
    ///
    /// It is relative to the logit, or
    /// to the root mean square of its row where that is larger: a logit near 0 is a difference of terms
    /// as large as the others', of which no fp32 keeps five digits (transformers' own fp32 is off by
    /// 7.6e-4 of the worst logit itself here, and by 2.7e-6 by this measure).
    @Test func `every logit equals that of transformers`() {
        #expect(expected.logits.count == row.tokens.count)
        for (own, theirs) in zip(model.logits(of: row), expected.logits) {
            let rms = (theirs.reduce(0) { $0 + $1 * $1 } / Double(theirs.count)).squareRoot()
            let worst = zip(own, theirs).map { abs(Double($0) - $1) / max(abs($1), rms) }.max() ?? 1
            #expect(own.count == theirs.count && worst <= 1e-5, "\(worst)")
        }
    }

    @Test func `losses equal those of transformers`() {
        let scores = model.logProbabilities(of: row).dropLast().map { -Double($0) }
        #expect(scores.isClose(to: expected.losses, within: .float32))
        let total = expected.losses.reduce(0, +)
        #expect(abs(model.lossSum(of: row) - total) <= 1e-6 * total)
    }

    @Test func `gradients equal those of torch`() {
        let (_, gradient) = model.differentiate(row)
        #expect(model.layout.entries.count == expected.gradient.count)
        for entry in model.layout.entries {
            let own = gradient[entry.offset..<(entry.offset + entry.count)].map { Double($0) }
            let norm = own.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let theirs = expected.gradient[entry.name] ?? .init(norm: -1, first: [])
            #expect(abs(norm - theirs.norm) <= 1e-5 * theirs.norm, "\(entry.name)")
            for (own, theirs) in zip(own, theirs.first) {
                #expect(abs(own - theirs) <= 1e-5 * norm, "\(entry.name)")
            }
        }
    }
}

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
    let model: Llama
    let row: PackedRow

    init() throws {
        let text = try Data(contentsOf: URL(fileURLWithPath: Self.folder + "/expected.json"))
        expected = try JSONDecoder().decode(Expected.self, from: text)
        model = try Llama(folder: Self.folder, rowTokensMax: 64, isTraining: true)
        let count = expected.tokens.count
        row = PackedRow(
            tokens: expected.tokens, documentStarts: [0],
            targets: expected.tokens.dropFirst() + [0],
            weights: (0..<count).map { $0 == count - 1 ? 0 : 1 })
    }

    @Test func `logits equal those of transformers`() {
        for (own, theirs) in zip(model.logits(of: row), expected.logits) {
            let largest = theirs.map { abs($0) }.max() ?? 0
            let worst = zip(own, theirs).map { abs(Double($0) - $1) }.max() ?? 1
            #expect(own.count == theirs.count && worst <= 1e-5 * largest)
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

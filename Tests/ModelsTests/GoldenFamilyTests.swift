import FlywheelCore
import Foundation
import Models
import Tensors
import TestSupport
import Testing

/// What transformers computed, in fp64, for a small random model of each family: written by
/// `scripts/goldens/families.py`.
@Suite struct GoldenFamilies {
    struct Expected: Decodable {
        struct Gradient: Decodable {
            var norm: Double
            var first: [Double]
        }
        struct Steps: Decodable {
            var rate: Double
            var losses: [Double]
            var weights: [String: [Double]]
        }
        var tokens: [Int32]
        var positions: [Int]
        var logits: [[Double]]
        var losses: [Double]
        var gradient: [String: Gradient]
        var steps: Steps
    }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Goldens/families").path

    /// Folders' names; of all architectures there is at least one.
    static let names = [
        "llama3", "llama_biased", "smollm2", "mistral", "qwen2", "qwen2_windows", "qwen3",
        "gemma2", "gemma3",
    ]

    /// What was recorded, the model that it was recorded of, and the row.
    static func read(_ name: String) throws -> (Expected, Transformer, PackedRow) {
        let text = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)/expected.json"))
        let expected = try JSONDecoder().decode(Expected.self, from: text)
        let model = try Transformer(
            folder: "\(folder)/\(name)", rowTokensMax: 128, isTraining: true)
        let count = expected.tokens.count
        let row = PackedRow(
            tokens: expected.tokens, documentStarts: [0],
            targets: expected.tokens.dropFirst() + [0],
            weights: (0..<count).map { $0 == count - 1 ? 0 : 1 })
        return (expected, model, row)
    }

    @Test func `every architecture has a golden`() throws {
        let known = try Self.names.map {
            try TransformerConfiguration(folder: "\(Self.folder)/\($0)").architecture
        }
        #expect(Set(known) == Set(Architecture.allCases))
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.folder)
        #expect(Set(folders) == Set(Self.names))
    }

    /// By the measure of `GoldenLlama`: relative to the logit, or to its row's root mean square.
    @Test(arguments: names)
    func `every logit equals that of transformers`(name: String) throws {
        let (expected, model, row) = try Self.read(name)
        #expect(!expected.positions.isEmpty)
        let logits = model.logits(of: row)
        for (position, theirs) in zip(expected.positions, expected.logits) {
            let own = logits[position]
            let rms = (theirs.reduce(0) { $0 + $1 * $1 } / Double(theirs.count)).squareRoot()
            let worst = zip(own, theirs).map { abs(Double($0) - $1) / max(abs($1), rms) }.max() ?? 1
            #expect(own.count == theirs.count && worst <= 1e-5, "\(position): \(worst)")
        }
    }

    @Test(arguments: names)
    func `every token's loss equals that of transformers`(name: String) throws {
        let (expected, model, row) = try Self.read(name)
        let scores = model.logProbabilities(of: row).dropLast().map { -Double($0) }
        #expect(scores.isClose(to: expected.losses, within: .float32))
        let total = expected.losses.reduce(0, +)
        #expect(abs(model.lossSum(of: row) - total) <= 1e-6 * total)
    }

    @Test(arguments: names)
    func `gradients equal those of torch`(name: String) throws {
        let (expected, model, row) = try Self.read(name)
        let (_, gradient) = model.differentiate(row)
        #expect(Set(model.layout.entries.map(\.name)) == Set(expected.gradient.keys))
        for entry in model.layout.entries {
            let own = gradient[entry.offset..<(entry.offset + entry.count)].map { Double($0) }
            let norm = own.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let theirs = expected.gradient[entry.name] ?? .init(norm: -1, first: [])
            #expect(abs(norm - theirs.norm) <= 1e-4 * theirs.norm, "\(entry.name)")
            for (own, theirs) in zip(own, theirs.first) {
                #expect(abs(own - theirs) <= 1e-4 * norm, "\(entry.name)")
            }
        }
    }

    @Test(arguments: names)
    func `three steps of AdamW lead where torch's do`(name: String) throws {
        let (expected, model, row) = try Self.read(name)
        let count = Double(row.tokens.count - 1)
        let optimizer = AdamW(beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1)
        var (first, second) = (
            [Float](repeating: 0, count: model.layout.count),
            [Float](repeating: 0, count: model.layout.count)
        )
        for step in 0...3 {
            let (loss, gradient) = model.differentiate(row, scale: Float(1 / count))
            var sums = gradient.map { FixedPoint.gradient.fixed(Double($0), terms: 1) ?? 0 }
            let theirs = expected.steps.losses[step]
            #expect(abs(loss / count - theirs) <= 2e-6 * theirs, "after \(step) steps")
            if step == 3 { break }
            unsafe first.withUnsafeMutableBufferPointer { first in
                unsafe second.withUnsafeMutableBufferPointer { second in
                    unsafe sums.withUnsafeMutableBufferPointer { gradient in
                        let slices = unsafe AdamW.Slices(
                            weights: model.parameters, first: first, second: second,
                            gradient: gradient)
                        for entry in model.layout.entries {
                            let range = entry.offset..<(entry.offset + entry.count)
                            optimizer.update(
                                slices[range], step: step + 1, learningRate: expected.steps.rate,
                                clip: 1, decays: entry.isDecayed)
                        }
                    }
                }
            }
        }
        for entry in model.layout.entries {
            let theirs = expected.steps.weights[entry.name] ?? []
            #expect(!theirs.isEmpty)
            for (index, weight) in theirs.enumerated() {
                let own = unsafe Double(model.parameters[entry.offset + index])
                #expect(abs(own - weight) <= 1e-5, "\(entry.name)[\(index)]")
            }
        }
    }

    @Test(arguments: names)
    func `what is written is read again, bit for bit`(name: String) async throws {
        let model = try Transformer(
            folder: "\(Self.folder)/\(name)", rowTokensMax: 8, isTraining: false)
        try await temporaryFolder { folder in
            try model.write(folder: folder)
            let again = try Transformer(folder: folder, rowTokensMax: 8, isTraining: false)
            #expect(again.configuration == model.configuration)
            #expect(ModelFolders.bits(again) == ModelFolders.bits(model))
        }
    }
}

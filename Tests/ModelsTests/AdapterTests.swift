import FlywheelCore
import Foundation
import Models
import TestSupport
import Testing

/// A model and an adapter of random numbers, so that nothing is zero by chance.
private struct Adapted {
    let base: Transformer
    let model: AdaptedTransformer

    init(
        _ kind: AdapterConfiguration.Kind, of configuration: TransformerConfiguration = .small,
        targets: [AdapterConfiguration.Target] = AdapterConfiguration.Target.usual
    ) {
        base = Transformer.random(configuration, isTraining: false)
        model = AdaptedTransformer(
            base, AdapterConfiguration(kind: kind, rank: 4, alpha: 6, targets: targets),
            rowTokensMax: 256)
        model.initialize(seed: 3)
        var numbers = SeededTokens(seed: 8)
        for entry in model.layout.entries {
            for index in entry.offset..<(entry.offset + entry.count) {
                let noise = Float(numbers.next(below: 1000)) / 1000 - 0.5
                unsafe model.parameters[index] +=
                    entry.shape.count > 1 ? 0.3 * noise : 0.5 * noise
            }
        }
        model.parametersChanged()
    }

    func values(_ name: String) -> [Double] {
        guard let entry = model.layout.entries.first(where: { $0.name == name }) else { return [] }
        return unsafe model.parameters[entry.offset..<(entry.offset + entry.count)]
            .map { Double($0) }
    }
}

/// A projection with its adapter in fp64: W + s B A, and what its rows are multiplied by.
private struct OracleProjection {
    let stem: String
    let (rows, columns, rank): (Int, Int, Int)
    let (a, b, magnitude): ([Double], [Double], [Double])
    let scale: Double
    private(set) var sum: [Double]
    private(set) var lengths: [Double] = []

    init(_ name: String, shape: [Int], weights: ArraySlice<Double>, _ adapted: Adapted) {
        stem = "base_model.model." + name.dropLast(".weight".count) + ".lora_"
        (rows, columns) = (shape[0], shape[1])
        rank = adapted.model.adapter.rank
        scale = adapted.model.adapter.scale
        a = adapted.values(stem + "A.weight")
        b = adapted.values(stem + "B.weight")
        magnitude = adapted.values(stem + "magnitude_vector")
        sum = Array(weights)
        for row in 0..<rows {
            for column in 0..<columns {
                for k in 0..<rank {
                    sum[row * columns + column] +=
                        scale * b[row * rank + k] * a[k * columns + column]
                }
            }
            let own = sum[row * columns..<(row + 1) * columns]
            lengths.append(own.reduce(0) { $0 + $1 * $1 }.squareRoot())
        }
    }

    func factor(_ row: Int) -> Double { magnitude.isEmpty ? 1 : magnitude[row] / lengths[row] }

    var merged: [Double] { sum.indices.map { factor($0 / columns) * sum[$0] } }

    /// The gradients of A, B and m, by name, that follow from the merged weights'.
    func gradients(_ outer: [Double]) -> [String: [Double]] {
        var (da, db) = (a.map { _ in 0.0 }, b.map { _ in 0.0 })
        var dm = magnitude.map { _ in 0.0 }
        for row in 0..<rows {
            for column in 0..<columns {
                let slope = outer[row * columns + column]
                if !dm.isEmpty { dm[row] += slope * sum[row * columns + column] / lengths[row] }
                for k in 0..<rank {
                    db[row * rank + k] += scale * factor(row) * slope * a[k * columns + column]
                    da[k * columns + column] += scale * factor(row) * slope * b[row * rank + k]
                }
            }
        }
        return [
            stem + "A.weight": da, stem + "B.weight": db, stem + "magnitude_vector": dm,
        ]
    }
}

@Suite struct `An adapter` {
    static let kinds = AdapterConfiguration.Kind.allCases
    static let some: [[AdapterConfiguration.Target]] = [
        AdapterConfiguration.Target.usual, [.queries, .values], [.down, .head],
    ]

    @Test(arguments: kinds, some)
    func `has the gradient of the fp64 oracle`(
        kind: AdapterConfiguration.Kind, targets: [AdapterConfiguration.Target]
    ) {
        let adapted = Adapted(kind, targets: targets)
        var numbers = SeededTokens(seed: 5)
        let row = numbers.row([1, 5, 12, 2], vocabulary: 37)
        let whole = WholeGradient(adapted.model.layout)
        let loss = adapted.model.lossSum(of: row, scale: 0.25, gradient: whole)
        let gradient = whole.values

        // The merged weights in fp64, the head by itself.
        var configuration = adapted.base.configuration
        configuration.tiedHead = false
        let layout = ParameterLayout(configuration)
        var parameters = [Double](repeating: 0, count: layout.count)
        var projections: [String: OracleProjection] = [:]
        for entry in layout.entries {
            let name = entry.name == "lm_head.weight" ? "model.embed_tokens.weight" : entry.name
            guard let source = adapted.base.layout.entries.first(where: { $0.name == name }) else {
                Issue.record("no \(name)")
                return
            }
            let own = unsafe adapted.base.parameters[source.offset..<source.offset + source.count]
                .map { Double($0) }
            parameters.replaceSubrange(entry.offset..<entry.offset + entry.count, with: own)
            guard targets.contains(where: { entry.name.contains("\($0.rawValue).weight") }) else {
                continue
            }
            let projection = OracleProjection(
                entry.name, shape: entry.shape, weights: own[...], adapted)
            projections[entry.name] = projection
            parameters.replaceSubrange(
                entry.offset..<entry.offset + entry.count, with: projection.merged)
        }
        let oracle = OracleTransformer(configuration, parameters: parameters)
        let expected = oracle.loss(row)
        let outer = oracle.tape.gradient(of: expected)
        #expect(abs(loss - oracle.tape.values[expected]) <= 1e-5 * abs(loss))

        var slopes: [String: [Double]] = [:]
        for entry in layout.entries {
            let own = (entry.offset..<entry.offset + entry.count).map {
                outer[oracle.parameters[$0]]
            }
            slopes.merge(projections[entry.name]?.gradients(own) ?? [:]) { $1 }
        }
        for entry in adapted.model.layout.entries {
            let theirs = slopes[entry.name] ?? []
            #expect(theirs.count == entry.count, "\(entry.name)")
            let largest = theirs.map { abs($0) }.max() ?? 0
            let worst =
                zip(gradient[entry.offset...], theirs).map { abs(4 * Double($0) - $1) }.max() ?? 1
            #expect(worst <= 1e-4 * largest, "\(entry.name): \(worst) of \(largest)")
        }
    }

    /// Ask 16: an adapter lost in merging, a tied head overwritten.
    @Test(arguments: kinds, some)
    func `merged answers as base and adapter do, within one bf16 ulp`(
        kind: AdapterConfiguration.Kind, targets: [AdapterConfiguration.Target]
    ) {
        let adapted = Adapted(kind, targets: targets)
        var numbers = SeededTokens(seed: 7)
        let row = numbers.row([30, 5], vocabulary: 37)
        let before = unsafe adapted.base.parameters.map(\.bitPattern)
        let merged = adapted.model.merged()
        #expect(unsafe adapted.base.parameters.map(\.bitPattern) == before)

        let model = Transformer(
            configuration: merged.configuration, rowTokensMax: 64, isTraining: false)
        _ = unsafe model.parameters.update(fromContentsOf: merged.parameters)
        let (own, theirs) = (model.logits(of: row), adapted.model.logits(of: row))
        let plain = Transformer(
            configuration: adapted.base.configuration, rowTokensMax: 64, isTraining: false)
        _ = unsafe plain.parameters.update(fromContentsOf: adapted.base.parameters)
        let unadapted = plain.logits(of: row)
        var furthest: Float = 0
        for (a, (b, c)) in zip(own, zip(theirs, unadapted)) {
            for (a, (b, c)) in zip(a, zip(b, c)) {
                #expect(abs(a - b) <= 0x1p-8 * max(abs(b), 0x1p-6), "\(a), \(b)")
                furthest = max(furthest, abs(a - c))
            }
        }
        #expect(furthest > 0.01, "merged is not the base")
        // The head that was tied to the embedding is so no longer where it was adapted.
        #expect(merged.configuration.tiedHead == !targets.contains(.head))
    }

    @Test(arguments: kinds)
    func `changes nothing where it begins`(kind: AdapterConfiguration.Kind) {
        let base = Transformer.random(.small)
        let model = AdaptedTransformer(
            base, AdapterConfiguration(kind: kind, rank: 4), rowTokensMax: 64)
        model.initialize(seed: 3)
        var numbers = SeededTokens(seed: 9)
        let row = numbers.row([20, 9], vocabulary: 37)
        let (own, theirs) = (model.logits(of: row), base.logits(of: row))
        for (a, b) in zip(own.joined(), theirs.joined()) {
            // Lengths of rows are rounded to fp32.
            #expect(kind == .dora ? abs(a - b) <= 1e-5 * max(1, abs(b)) : a == b)
        }
    }

    @Test func `shares its memory with the threads that compute`() {
        let adapted = Adapted(.dora)
        let other = AdaptedTransformer(sharing: adapted.model)
        var numbers = SeededTokens(seed: 9)
        let row = numbers.row([20, 9], vocabulary: 37)
        #expect(other.logits(of: row) == adapted.model.logits(of: row))
        #expect(other.scores(of: row) == adapted.model.scores(of: row))
    }

    @Test func `is written under PEFT's names`() async throws {
        let adapted = Adapted(.dora, targets: [.queries, .head])
        try await temporaryFolder { folder in
            try adapted.model.writeAdapter(
                configuration: folder + "/adapter_config.json",
                weights: folder + "/adapter_model.safetensors", base: "base@1")
            let text = try Data(contentsOf: URL(fileURLWithPath: folder + "/adapter_config.json"))
            let json = try JSONValue(parsing: Array(text))
            #expect(json["target_modules"] == ["q_proj", "lm_head"])
            #expect(json["use_dora"] == true && json["use_rslora"] == false && json["r"] == 4)
        }
        #expect(
            adapted.model.layout.entries.map(\.name).suffix(3) == [
                "base_model.model.lm_head.lora_A.weight", "base_model.model.lm_head.lora_B.weight",
                "base_model.model.lm_head.lora_magnitude_vector",
            ])
    }
}

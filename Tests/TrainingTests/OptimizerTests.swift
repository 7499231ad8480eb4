import Foundation
import Tensors
import Testing

@Suite struct `An update of AdamW` {
    /// The same update in double precision, from the paper.
    struct Oracle {
        var weight: Double
        var first = 0.0
        var second = 0.0

        mutating func update(
            _ optimizer: AdamW, gradient: Double, step: Int, rate: Double, decays: Bool
        ) {
            first = optimizer.beta1 * first + (1 - optimizer.beta1) * gradient
            second = optimizer.beta2 * second + (1 - optimizer.beta2) * gradient * gradient
            let corrected = first / (1 - pow(optimizer.beta1, Double(step)))
            let spread = (second / (1 - pow(optimizer.beta2, Double(step)))).squareRoot()
            let decay = decays ? optimizer.weightDecay * weight : 0
            weight -= rate * (corrected / (spread + optimizer.epsilon) + decay)
        }
    }

    private func train(
        _ optimizer: AdamW, weights: [Float], steps: Int, rate: Double, decays: Bool,
        clip: Double = 1, gradient: (Int, Int) -> Float
    ) -> (weights: [Float], oracles: [Oracle]) {
        var (weights, first, second) = (weights, weights.map { _ in Float(0) }, weights)
        second = first
        var oracles = weights.map { Oracle(weight: Double($0)) }
        for step in 1...steps {
            let gradients = weights.indices.map { gradient(step, $0) }
            var sums = fixed(gradients)
            unsafe weights.withUnsafeMutableBufferPointer { w in
                unsafe first.withUnsafeMutableBufferPointer { m in
                    unsafe second.withUnsafeMutableBufferPointer { v in
                        unsafe sums.withUnsafeMutableBufferPointer { g in
                            unsafe optimizer.update(
                                .init(weights: w, first: m, second: v, gradient: g), step: step,
                                learningRate: rate, clip: clip, decays: decays)
                        }
                    }
                }
            }
            #expect(sums.allSatisfy { $0 == 0 })
            for index in oracles.indices {
                oracles[index].update(
                    optimizer, gradient: Double(gradients[index]) * clip, step: step, rate: rate,
                    decays: decays)
            }
        }
        return (weights, oracles)
    }

    @Test(arguments: [true, false])
    func `with a tiny rate and a constant gradient moves as double precision does`(decays: Bool) {
        var numbers = Numbers(seed: 3)
        let start = (0..<1000).map { _ in Float(numbers.uniform() - 0.5) * 0.2 }
        let gradients = start.indices.map { index in
            Float(numbers.uniform() * 1e-3 + 1e-5) * (index.isMultiple(of: 3) ? -1 : 1)
        }
        let (weights, oracles) = train(
            AdamW(weightDecay: 0.1), weights: start, steps: 100, rate: 1e-6, decays: decays
        ) { gradients[$1] }
        for (index, weight) in weights.enumerated() {
            // A hundred roundings to the nearest float of this size, and no update lost to them.
            let allowed = 100 * Double(start[index].ulp) / 2 + 1e-9
            #expect(abs(Double(weight) - oracles[index].weight) <= allowed)
            let moved = Double(weight) - Double(start[index])
            #expect(abs(moved + (gradients[index] > 0 ? 1e-4 : -1e-4)) < 5e-6)
        }
    }

    @Test func `with changing gradients and a large rate stays within a float of the oracle`() {
        var numbers = Numbers(seed: 8)
        let start = (0..<333).map { _ in Float(numbers.uniform() - 0.5) }
        let (weights, oracles) = train(
            AdamW(beta2: 0.95, weightDecay: 0.01), weights: start, steps: 60, rate: 1e-2,
            decays: true, clip: 0.37
        ) { step, index in Float(sin(Double(step * 7 + index))) }
        for (weight, oracle) in zip(weights, oracles) {
            #expect(abs(Double(weight) - oracle.weight) <= 2e-5)
        }
    }

    @Test func `decays only what it is told to`() {
        let start: [Float] = [1, -2, 0.5]
        let optimizer = AdamW(weightDecay: 0.1)
        let (decayed, _) = train(
            optimizer, weights: start, steps: 10, rate: 0.01, decays: true
        ) { _, _ in 0 }
        let (kept, _) = train(
            optimizer, weights: start, steps: 10, rate: 0.01, decays: false
        ) { _, _ in 0 }
        #expect(kept == start)
        for (weight, before) in zip(decayed, start) {
            #expect(abs(Double(weight) - Double(before) * pow(0.999, 10)) < 1e-6)
        }
    }

    @Test(arguments: [0, 1, 7, 1024, 1025, 5000, 3_000_000])
    func `measures norms as double precision does`(count: Int) {
        var numbers = Numbers(seed: UInt64(count))
        let values = (0..<count).map { _ in Float(numbers.uniform() - 0.5) }
        let expected = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        let sums = fixed(values)
        let measured = [1, 3].map { threads in
            unsafe sums.withUnsafeBufferPointer {
                unsafe FixedPoint.gradient.norm(of: $0, threads: threads)
            }
        }
        #expect(abs(measured[0] - expected) <= 1e-6 * expected)
        #expect(measured[0] == measured[1])
    }

    private func fixed(_ values: [Float]) -> [Int64] {
        values.map { Int64((Double($0) * FixedPoint.gradient.scale).rounded(.toNearestOrEven)) }
    }
}

@Suite struct `Fixed point` {
    @Test func `rounds to nearest even, whatever the processor`() {
        let point = FixedPoint(exponent: 1)
        let values: [Float] = [0.25, 0.75, 1.25, -0.25, -0.75, 1, -1, 0, 0.2, 1e-30, -1.3]
        let expected: [Int64] = [0, 2, 2, 0, -2, 2, -2, 0, 0, 0, -3]
        // Of every length, so that vectors and what is left over both see each value.
        for count in 0...values.count {
            var sums = [Int64](repeating: 10, count: values.count)
            let beyond = add(Array(values.prefix(count)), to: &sums, point, terms: 1)
            #expect(beyond == 0)
            #expect(sums == expected.enumerated().map { 10 + ($0 < count ? $1 : 0) })
        }
    }

    @Test func `equals exact arithmetic on random floats`() {
        var numbers = Numbers(seed: 12)
        let values = (0..<10_000).map { _ in
            Float(
                (numbers.uniform() - 0.5) * exp2(Double(Int.random(in: -50..<6, using: &numbers))))
        }
        var sums = [Int64](repeating: 0, count: values.count)
        #expect(add(values, to: &sums, .gradient, terms: 1024) == 0)
        for (value, sum) in zip(values, sums) {
            #expect(sum == Int64((Double(value) * 0x1p44).rounded(.toNearestOrEven)))
        }
    }

    @Test func `counts what does not fit, and adds nothing of it`() {
        let limit = Float(FixedPoint.gradient.limit(terms: 8) / 0x1p44)
        let values: [Float] = [
            .nan, limit, limit.nextUp, -limit, -limit.nextUp, .infinity, -.infinity, 1, 0,
            .greatestFiniteMagnitude, .signalingNaN,
        ]
        var sums = [Int64](repeating: 5, count: values.count)
        #expect(add(values, to: &sums, .gradient, terms: 8) == 7)
        let units = Int64(FixedPoint.gradient.limit(terms: 8))
        #expect(sums == [5, 5 + units, 5, 5 - units, 5, 5, 5, 5 + 1 << 44, 5, 5, 5])
        // Eight of the largest still fit.
        #expect(!units.multipliedReportingOverflow(by: 8).overflow)
        #expect(FixedPoint.loss.fixed(.nan, terms: 1) == nil)
        #expect(FixedPoint.loss.fixed(1e12, terms: 1) == nil)
        #expect(FixedPoint.loss.fixed(-2.5, terms: 1) == -5 << 29)
    }

    private func add(
        _ values: [Float], to sums: inout [Int64], _ point: FixedPoint, terms: Int
    ) -> Int {
        unsafe values.withUnsafeBufferPointer { values in
            unsafe sums.withUnsafeMutableBufferPointer {
                unsafe point.add(values, to: $0, terms: terms)
            }
        }
    }
}

import Testing
import Training

@Suite struct `The learning rate` {
    /// Written out by hand from the definition: peak 1, ten steps, two of them warm-up.
    @Test(arguments: [
        (
            LearningRate.Decay.cosine,
            [
                0.5, 1, 1, 0.961939766255643, 0.853553390593274, 0.691341716182545, 0.5,
                0.308658283817455, 0.146446609406726, 0.038060233744357,
            ]
        ),
        (.linear, [0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]),
        (.constant, [0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    ])
    func `follows the table`(decay: LearningRate.Decay, table: [Double]) {
        let rate = LearningRate(peak: 1, warmup: 0.2, decay: decay)
        for (index, expected) in table.enumerated() {
            #expect(abs(rate.rate(at: index + 1, of: 10) - expected) < 1e-14)
        }
    }

    @Test func `starts at its peak without warm-up and ends at its floor`() {
        let rate = LearningRate(peak: 3e-4, decay: .linear, floor: 0.1)
        #expect(rate.rate(at: 1, of: 100) == 3e-4)
        #expect(abs(rate.rate(at: 101, of: 100) - 3e-5) < 1e-18)
    }

    @Test func `rises over a share of the steps rounded up`() {
        let rate = LearningRate(peak: 1, warmup: 0.03, decay: .constant)
        #expect(rate.rate(at: 1, of: 40) == 0.5)
        #expect(rate.rate(at: 2, of: 40) == 1)
        #expect(rate.rate(at: 1, of: 1) == 1)
    }
}

import Foundation
import Testing

/// Seeds that are tried; `FLYWHEEL_TEST_SEED` tries one alone, as a failure names it.
@Suite struct `A simulated cluster` {
    private static let seeds = 2_000
    private static let only =
        ProcessInfo.processInfo.environment["FLYWHEEL_TEST_SEED"].flatMap { UInt64($0) }

    @Test func `breaks no rule while everything dies, and ends every job when nothing does`() {
        for seed in Self.only.map({ $0...$0 }) ?? 0...UInt64(Self.seeds) {
            let broken = Simulation.run(seed: seed)
            #expect(broken.isEmpty, "FLYWHEEL_TEST_SEED=\(seed): \(broken.first ?? "")")
            if !broken.isEmpty { return }
        }
    }

    @Test(arguments: SimulatedStore.Plant.allCases)
    func `finds each rule that is left out`(plant: SimulatedStore.Plant) {
        let found = (0...UInt64(Self.seeds)).first {
            !Simulation.run(seed: $0, plant: plant).isEmpty
        }
        #expect(found != nil, "nobody noticed that \(plant) was left out")
        // A seed is a run: it breaks the same rule again.
        if let found {
            #expect(
                Simulation.run(seed: found, plant: plant)
                    == Simulation.run(seed: found, plant: plant))
        }
    }
}

import Jobs
import Models
import Testing
import Training

@Suite struct NewModels {
    @Test(arguments: TrainSpecification.Architecture.allCases)
    func `every architecture that a specification may name is one of ours`(
        architecture: TrainSpecification.Architecture
    ) {
        let new = TrainSpecification.NewModel(
            architecture: architecture, hidden: 32, layers: 6, heads: 4, keyValueHeads: 2,
            headDimension: 12, intermediate: 48, window: architecture.slides ? 16 : nil,
            vocabulary: 99, positionsMax: 64, tiedHead: false)
        let made = new.configuration(vocabulary: 77, eos: [3])
        #expect(made.architecture == Models.Architecture(named: architecture.rawValue))
        #expect(made.headDimension == 12 && made.vocabulary == 77 && made.eos == [3])
        #expect(made.window == (architecture.slides ? 16 : nil))
        #expect(made.slides.contains(true) == architecture.slides)
        #expect(!made.tiedHead && made.positionsMax == 64)
    }

    @Test func `specifications know every architecture`() {
        let known = TrainSpecification.Architecture.allCases.map {
            Models.Architecture(named: $0.rawValue)
        }
        #expect(Set(known) == Set(Models.Architecture.allCases))
        #expect(Models.Architecture(named: "mamba") == nil)
    }
}

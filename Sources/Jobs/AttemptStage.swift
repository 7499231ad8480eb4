import Graders

/// A part of an attempt, with the programs that work on it.
///
/// Each stage hands what it has found to the next one, in the file `handover.json` of the attempt's
/// folder.
public enum AttemptStage: String, Sendable {
    /// A gang of ranks under `mpirun`, which knows neither network nor keys.
    case ranks
    /// One process of `flywheel`, which asks a teacher through the gateway.
    case labelling
    /// One process of `flywheel`, which asks a rented incumbent and judges through the gateway.
    case judging
    /// One process of `flywheel`, which makes a dataset of what the database has.
    case building

    package static let handover = "handover.json"
}

extension JobSpecification {
    /// In the order in which they work.
    public var stages: [AttemptStage] {
        switch self {
        case .train: [.ranks]
        case .evaluate(let evaluate): evaluate.asksModels ? [.ranks, .judging] : [.ranks]
        case .distill(let distill): distill.asksUpstream ? [.labelling] : [.ranks]
        case .judge: [.judging]
        case .build: [.building]
        }
    }
}

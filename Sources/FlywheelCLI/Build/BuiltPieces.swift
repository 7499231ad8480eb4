import Curation
import Datasets
import FlywheelCore
import Foundation
import Stores

/// The pieces of a dataset on their way from the process that made them to its worker: in the attempt's
/// folder, two files each.
enum BuiltPieces {
    struct Piece {
        /// Empty for what is learned.
        var split: String
        /// A JSONL file of the rows.
        var path: String
        /// As `Outcome.Piece` has them.
        var facts: JSONValue
    }

    static func write(
        _ piece: CuratedDataset.Piece, of made: DatasetBuilder.Made, at index: Int,
        in folder: String
    ) throws {
        let facts: JSONValue = [
            "split": .string(piece.split ?? ""),
            "shape": .string(piece.rows[0].content.shape.rawValue),
            "rows": .integer(Int64(piece.rows.count)), "card": try made.card(of: piece),
            "origins": try JSONValue(encoding: piece.origins),
            "golden": .array(made.golden.map { .string($0.digest.hex) }),
        ]
        try Data(DatasetFile.jsonl(piece.rows)).write(
            to: URL(fileURLWithPath: rows(index, in: folder)))
        try Data(facts.canonical.utf8).write(
            to: URL(fileURLWithPath: self.facts(index, in: folder)))
    }

    /// In the order in which they were written.
    static func read(in folder: String) throws -> [Piece] {
        var pieces: [Piece] = []
        while let data = FileManager.default.contents(atPath: facts(pieces.count, in: folder)) {
            let facts = try JSONValue(parsing: data)
            pieces.append(
                Piece(
                    split: facts["split"]?.string ?? "", path: rows(pieces.count, in: folder),
                    facts: facts))
        }
        guard !pieces.isEmpty else {
            throw InputError(file: folder, "the process that built left no rows")
        }
        return pieces
    }

    private static func rows(_ index: Int, in folder: String) -> String {
        "\(folder)/piece-\(index).jsonl"
    }

    private static func facts(_ index: Int, in folder: String) -> String {
        "\(folder)/piece-\(index).json"
    }
}

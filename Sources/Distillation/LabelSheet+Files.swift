import Datasets
public import FlywheelCore
import Foundation
public import Jobs

extension LabelSheet {
    /// The name of the file of rows in an attempt's folder.
    public static let fileName = "labels.jsonl"

    /// The prompts that the plan of an attempt names, with all that was recorded before it.
    public init(_ plan: RankPlan, _ specification: DistillSpecification) throws {
        guard let path = plan.inputs[InputRole.prompts.rawValue] else {
            throw InputError(
                field: "prompts", "the plan names no file for it",
                remedy: "Nothing was asked. Submit the job again.")
        }
        let records = try plan.inputs["items"].map { path in
            try JSONDecoder().decode(
                [ItemRecord].self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        }
        try self.init(
            specification, prompts: try DatasetFile.rows(at: path, ending: .open),
            records: records ?? [])
        for index in 0... {
            guard !missing.isEmpty, let path = plan.inputs["labels-\(index)"] else { break }
            reuse(try DatasetFile.rows(at: path))
        }
    }

    /// Writes the rows that came of it into `folder`; the job's result.
    ///
    /// Throws `InputError` where there is no row at all.
    public func conclude(in folder: String, stopped: String?) throws -> JSONValue {
        let rows = rows
        let summary = summary(rows: rows.count, stopped: stopped)
        guard !rows.isEmpty else {
            throw InputError(
                "no answer is fit to learn from: \(summary["leftOut"]?.canonical ?? "")",
                remedy: stopped.map { "Not all were asked, because \($0)." }
                    ?? "Look at the view distill_items, and correct the prompts.")
        }
        let text = Data(DatasetFile.jsonl(rows))
        try text.write(to: URL(fileURLWithPath: "\(folder)/\(Self.fileName)"))
        return summary.merging(["file": .string(Self.fileName)])
    }
}

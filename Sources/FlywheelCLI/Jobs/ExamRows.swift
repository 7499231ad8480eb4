import FlywheelCore
import Jobs
import Stores

/// What an exam found, as `jobs show` tells it: nothing for other kinds of job.
struct ExamRows {
    let scorecards: [JSONValue]
    let comparisons: [JSONValue]
    let conditions: [JSONValue]
    let sides: [JSONValue]

    init(of job: JobID, in database: Database) async throws {
        scorecards = try await database.views.scorecards(of: job)
        comparisons = try await database.views.comparisons(of: job)
        conditions = try await database.views.gateConditions(of: job)
        sides = try await database.views.sideBySide(of: job)
    }

    var members: [String: JSONValue] {
        [
            "scorecards": .array(scorecards), "comparisons": .array(comparisons),
            "gate_conditions": .array(conditions), "side_by_side": .array(sides),
        ]
    }

    func show() {
        guard let card = scorecards.first else { return }
        showScorecards()
        showSlices()
        showConditions()
        print()
        print(card.cell("sentence"))
        showSides()
    }

    private func showScorecards() {
        print()
        var table = Table(
            .text("METRIC"), .number("VALUE"), .text("95 %"), .number("N"), .text("OF"),
            .text("AGAINST THE INCUMBENT"))
        for row in scorecards where row["slice"] == "all" {
            let comparison = comparisons.first {
                $0["model"] == row["model"] && $0["metric"] == row["metric"]
                    && $0["slice"] == "all"
            }
            table.add(
                row.cell("metric"), row.fixed("value", 4), row.interval, row.count("n"),
                "\(row.cell("model")) (\(row.cell("verdict")))", comparison?.asDifference ?? "")
        }
        table.show()
    }

    /// The candidate's worst slices; all are in the view.
    private func showSlices() {
        let shown = 10
        let examined = scorecards.filter { $0["slice"] != "all" }
        let decided = examined.filter { ["passed", "refused"].contains($0.cell("verdict")) }
        let slices = (decided.isEmpty ? examined : decided).sorted {
            ($0["value"]?.number ?? 0) < ($1["value"]?.number ?? 0)
        }
        guard !slices.isEmpty else { return }
        print()
        var table = Table(
            .text("WORST SLICES"), .text("METRIC"), .number("VALUE"), .text("95 %"), .number("N"),
            .text("OF"))
        for row in slices.prefix(shown) {
            table.add(
                row.cell("slice"), row.cell("metric"), row.fixed("value", 4), row.interval,
                row.count("n"), row.cell("model"))
        }
        table.show()
        guard slices.count > shown, Terminal.output.isInteractive else { return }
        print("\(slices.count - shown) more: flywheel sql 'SELECT * FROM scorecards'")
    }

    private func showConditions() {
        guard conditions.count > 1 else { return }
        print()
        var table = Table(.text("CONDITION"), .text("SLICE"), .text("MET"), .text("FOUND"))
        for row in conditions {
            table.add(row.cell("metric"), row.cell("slice"), row.cell("is_met"), row.cell("clause"))
        }
        table.show()
    }

    /// Of the condition that was farthest from being met.
    private func showSides() {
        let first = sides.filter { $0["position"] == sides.first?["position"] }
        guard let side = first.first else { return }
        print()
        var table = Table(
            .text("ROW"), .text("EXPECTED"), .text(side.cell("model")),
            .text(side["incumbent"]?.string ?? "NO INCUMBENT"), .text("QUESTION"))
        for row in first {
            table.add(
                row.cell("row_id"), row.short("expected"), row.short("answer"),
                row.short("incumbent_answer"), row.cell("question"))
        }
        table.show()
    }
}

extension JSONValue {
    fileprivate var interval: String { "\(fixed("low", 4))–\(fixed("high", 4))" }

    /// As `+0.0120 (-0.0030–0.0270), 41 gained, 15 lost, p 0.0007`.
    fileprivate var asDifference: String {
        let sign = (self["value"]?.number ?? 0) < 0 ? "" : "+"
        let p =
            self["p_value"]?.number.map {
                $0 < 0.0001 ? ", p < 0.0001" : ", p \(Formatting.fixed($0, 4))"
            } ?? ""
        return "\(sign)\(fixed("value", 4)) (\(interval)), \(count("gained")) gained, "
            + "\(count("lost")) lost\(p)"
    }

    /// An answer may be long; on a terminal its beginning is enough.
    fileprivate func short(_ key: String) -> String {
        let text = cell(key)
        return Terminal.output.isInteractive && text.count > 40 ? text.prefix(39) + "…" : text
    }
}

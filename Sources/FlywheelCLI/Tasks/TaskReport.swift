import FlywheelCore
import Jobs
import Stores
import Tasks

/// What a team should know of a task before it owns a model for it.
struct TaskReport {
    let entry: TaskBook.Entry
    /// As `ReportBook.report` has it.
    let facts: JSONValue

    var json: JSONValue {
        facts.merging([
            "task": .string(entry.specification.name),
            "route": .string(entry.route.description), "outlook": outlook.json,
        ])
    }

    var outlook: TaskOutlook {
        var outlook = TaskOutlook()
        if let all = traffic.first(where: { $0["model"] == .null }), let age = facts["age"]?.number
        {
            let week = all["calls_week"]?.integer ?? 0
            outlook.calls = Int(week)
            outlook.daysSeen = min(7, age / 86_400)
            let before = all["calls_week_before"]?.number ?? 0
            outlook.steadiness = before > 0 ? Double(week) / before : nil
        }
        outlook.commonestShare = facts["spread"]?["commonest_share"]?.number
        outlook.knownShare = facts["spread"]?["known_share"]?.number
        let generalist = entry.specification.generalist
        outlook.generalistPerCall =
            costs.first {
                $0["upstream"]?.string == generalist.upstream
                    && $0["model"]?.string == generalist.model
            }?.perCall
        let own = costs.filter { $0["upstream"] == "flywheel" }
        let chosen = own.first { $0["model"]?.string == entry.route.description } ?? own.first
        outlook.ownPerCall = chosen?.perCall
        outlook.madeFor = chosen?["made_for"]?.number
        return outlook
    }

    var traffic: [JSONValue] { facts["traffic"]?.array ?? [] }
    var costs: [JSONValue] { facts["costs"]?.array ?? [] }

    /// The row of `rows` about the model of `other`; about the whole task where that names none.
    private func row(_ key: String, like other: JSONValue) -> JSONValue? {
        facts[key]?.array?.first {
            $0["model"] == other["model"] && $0["upstream"] == other["upstream"]
        }
    }
}

extension JSONValue {
    /// Of a row of `costs`; nil where no call has a price.
    fileprivate var perCall: Double? {
        guard let spent = self["spent"]?.number, let calls = self["calls"]?.number,
            let unpriced = self["unpriced"]?.number, calls > unpriced
        else { return nil }
        return spent / (calls - unpriced)
    }
}

// MARK: Shown

extension TaskReport {
    func show() {
        print(
            "\(entry.specification.name) is answered by \(entry.route.description). Views: task_traffic, "
                + "task_opinions, costs, scorecards, task_agreement, answer_spread.\n")
        models.show()
        print()
        golden.show()
        print()
        known.show()
        print("\n" + outlook.sentence)
        if outlook.savedPerCall == nil {
            print(
                "Prices are set with `flywheel upstreams apply`: under `prices`, a model's per million tokens, "
                    + "and `slotHour`, which is what an hour of a slot costs that one of ours answers from."
            )
        }
    }

    private var models: Table {
        var table = Table(
            .text("MODEL"), .number("CALLS"), .number("LAST WEEK"), .number("ERRORS"),
            .number("P50"), .number("P99"), .number("JUDGED"), .number("ACCEPTED"),
            .number("CORRECTED"), .number("PER 1,000"), .number("SAVED"))
        for row in traffic {
            let said = self.row("opinions", like: row)
            let cost = self.row("costs", like: row)
            func count(_ key: String) -> String {
                Formatting.count(row[key]?.integer ?? 0)
            }
            func share(_ key: String) -> String {
                guard let judged = said?["judged"]?.number, judged > 0,
                    let some = said?[key]?.number
                else { return "?" }
                return Formatting.percent(some / judged)
            }
            func milliseconds(_ key: String) -> String {
                row[key]?.number.map { "\(Formatting.fixed($0, 0)) ms" } ?? "?"
            }
            let name = row["model"]?.string.map { "\(row.cell("upstream"))/\($0)" } ?? "all"
            let isAll = row["model"] == .null
            table.add(
                name, count("calls"), count("calls_week"), count("errors"),
                milliseconds("latency_p50_ms"), milliseconds("latency_p99_ms"),
                Formatting.count(said?["judged"]?.integer ?? 0), share("accepted"),
                share("corrected"),
                isAll ? "" : TaskOutlook.money(cost?.perCall, 1_000),
                isAll ? "" : TaskOutlook.money(cost?["saved"]?.number))
        }
        return table
    }

    private var golden: Table {
        var table = Table(
            .text("EXAMINED"), .text("METRIC"), .number("VALUE"), .number("LOW"), .number("HIGH"),
            .number("ROWS"), .text("GOLDEN"))
        for row in facts["scorecards"]?.array ?? [] {
            func number(_ key: String) -> String {
                row[key]?.number.map { Formatting.fixed($0, 3) } ?? "?"
            }
            table.add(
                row.cell("model"), row.cell("metric"), number("value"), number("low"),
                number("high"), row.cell("n"), row.cell("golden"))
        }
        if table.rows.isEmpty {
            table.add(
                entry.specification.golden == nil
                    ? "the task has no golden set" : "nobody was examined on its golden set yet",
                "", "", "", "", "", "")
        }
        return table
    }

    private var known: Table {
        var facts = Table(.text("FACT"), .text("VALUE"))
        let (agreement, spread, outlook) = (self.facts["agreement"], self.facts["spread"], outlook)
        let judged = agreement?["judged"]?.number ?? 0
        let agreed = agreement?["agreed"]?.number ?? 0
        facts.add(
            "those who judge agree",
            judged > 0
                ? "\(Formatting.percent(agreed / judged)) of \(Formatting.fixed(judged, 1)) judgements, "
                    + "\(agreement?.cell("sources") ?? "") sources"
                : "not known: nothing was judged twice, nor has a golden label")
        let seen =
            "\(Formatting.count(Int64(outlook.calls))) in \(TaskOutlook.time(outlook.daysSeen))"
        facts.add("calls so far, of the last seven days", outlook.calls > 0 ? seen : "none")
        let tooFew = "not known: less than a day was seen"
        facts.add("calls a day", outlook.callsPerDay.map { Formatting.fixed($0, 1) } ?? tooFew)
        facts.add(
            "different answers",
            outlook.commonestShare.map {
                "\(spread?.cell("different") ?? "") of the newest \(spread?.cell("answers") ?? ""), "
                    + "\(Formatting.percent($0)) among the twenty commonest"
            } ?? "not known: no answer is kept")
        facts.add(
            "generalist, a month at today's traffic",
            outlook.generalistPerMonth.map { TaskOutlook.money($0) }
                ?? (outlook.generalistPerCall == nil ? "not known: no price" : tooFew))
        facts.add(
            "a student would save, a month",
            outlook.savedPerMonth.map { TaskOutlook.money($0) }
                ?? (outlook.ownPerCall == nil
                    ? "not known: no model of ours has answered with a price"
                    : outlook.generalistPerCall == nil
                        ? "not known: the generalist has no price" : tooFew))
        for row in costs where row["upstream"] == "flywheel" {
            facts.add(
                "making \(row.cell("model"))",
                row["made_for"]?.number.map {
                    TaskOutlook.money($0)
                        + (row["paid_back_at"]?.string.map { ", paid back at \($0)" }
                            ?? ", not paid back yet")
                } ?? "not known")
        }
        return facts
    }
}

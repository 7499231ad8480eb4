import Jobs

/// Why a gang waits, in words that say what would have to change.
struct Explanation {
    var job: SchedulingSnapshot.Waiting
    /// With what is left of their free slots at this place in the queue.
    var nodes: [SchedulingSnapshot.Node]
    /// Those of them with the job's labels and numeric profile.
    var fitting: [SchedulingSnapshot.Node]
    var reserved: [String: JobID]

    var sentence: String {
        if nodes.isEmpty { return "no worker is up" }
        if fitting.isEmpty { return unsuited }
        let need = "needs \(slots(job.ranksMin * job.slotsPerRank))\(shape)"
        let groups = GangPlanner.neighbours(fitting)
        let largest = groups.max { ranks($0) < ranks($1) } ?? []
        if ranks(largest) < job.ranksMin {
            let names = largest.map(\.name).joined(separator: ", ")
            let count = largest.reduce(0) { $0 + $1.slots }
            return largest.count == 1
                ? "\(need); the largest node that suits, \(names), has \(count)"
                : "\(need); the most that suit, nodes \(names), have \(count)"
        }
        let freest = fitting.sorted { ($1.freeSlots, $0.name) < ($0.freeSlots, $1.name) }
        let shown = freest.prefix(3).map(state)
        let rest = freest.count > 3 ? ", fewer on \(freest.count - 3) more" : ""
        return "\(need); \(shown.joined(separator: ", "))\(rest)"
    }

    /// As many as nodes would hold if nothing else ran there.
    private func ranks(_ nodes: [SchedulingSnapshot.Node]) -> Int {
        nodes.reduce(0) { $0 + $1.slots / job.slotsPerRank }
    }

    private var unsuited: String {
        let labelled = nodes.filter { node in
            job.labels.allSatisfy { node.labels[$0.key] == $0.value }
        }
        if labelled.isEmpty {
            let wanted = job.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return "no node is labelled \(wanted.joined(separator: ", "))"
        }
        guard job.numericProfile != nil else {
            return "no node computes in \(job.precision ?? "") (`flywheel doctor` says there why)"
        }
        return """
            no node has the numeric profile \(job.numericProfile ?? "") with which this job began
            """
    }

    private var shape: String {
        var words: [String] = []
        let isAlone = GangPlanner.neighbours(fitting).allSatisfy { $0.count == 1 }
        words.append(isAlone ? " on one node" : " on one network")
        if job.slotsPerRank > 1 { words.append(" (\(job.ranksMin) ranks of \(job.slotsPerRank))") }
        return words.joined()
    }

    private func state(_ node: SchedulingSnapshot.Node) -> String {
        let free =
            "\(node.freeSlots) \(node.freeSlots == 1 ? "is" : "are") free on node \(node.name)"
        if let other = reserved[node.name], other != job.job {
            return "\(free), which is kept for job \(other)"
        }
        return free
    }

    private func slots(_ count: Int) -> String { count == 1 ? "1 slot" : "\(count) slots" }
}

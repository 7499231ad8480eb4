import Jobs

/// Why a gang waits, in words that say what would have to change.
struct Explanation {
    var job: SchedulingSnapshot.Waiting
    /// With what is left of their free slots at this place in the queue.
    var nodes: [SchedulingSnapshot.Node]
    /// Those of them with the job's labels and numeric profile.
    var fitting: [SchedulingSnapshot.Node]
    var reserved: [String: JobID]
    var nodesPerGangMax: Int

    var sentence: String {
        if nodes.isEmpty { return "no worker is up" }
        if fitting.isEmpty { return unsuited }
        let need = "needs \(slots(job.ranksMin * job.slotsPerRank))\(shape)"
        let capacities = fitting.map { $0.slots / job.slotsPerRank }.sorted(by: >)
        if capacities.prefix(nodesPerGangMax).reduce(0, +) < job.ranksMin {
            let largest = fitting.max { ($0.slots, $1.name) < ($1.slots, $0.name) }
            let most = largest.map { "the largest node that suits, \($0.name), has \($0.slots)" }
            return "\(need); \(most ?? "no node has them")"
        }
        let freest = fitting.sorted { ($1.freeSlots, $0.name) < ($0.freeSlots, $1.name) }
        let shown = freest.prefix(3).map(state)
        let rest = freest.count > 3 ? ", fewer on \(freest.count - 3) more" : ""
        return "\(need); \(shown.joined(separator: ", "))\(rest)"
    }

    private var unsuited: String {
        let labelled = nodes.filter { node in
            job.labels.allSatisfy { node.labels[$0.key] == $0.value }
        }
        if labelled.isEmpty {
            let wanted = job.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return "no node is labelled \(wanted.joined(separator: ", "))"
        }
        return """
            no node has the numeric profile \(job.numericProfile ?? "") with which this job began
            """
    }

    private var shape: String {
        var words: [String] = []
        if nodesPerGangMax == 1 { words.append(" on one node") }
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

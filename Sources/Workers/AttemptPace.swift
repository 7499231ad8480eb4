/// How long a step of this attempt takes, and how patient that makes its worker.
package struct AttemptPace: Sendable {
    package static let keptMax = 65
    private var recent: [Double] = []
    private var next = 0

    package init() {}

    package mutating func stepped(seconds: Double) {
        guard seconds.isFinite, seconds >= 0 else { return }
        if recent.count < Self.keptMax {
            recent.append(seconds)
        } else {
            recent[next] = seconds
            next = (next + 1) % Self.keptMax
        }
    }

    package var medianStep: Duration {
        recent.isEmpty ? .zero : .seconds(recent.sorted()[recent.count / 2])
    }

    /// `least`, or as long as ten steps take.
    package func patience(_ least: Duration) -> Duration { max(least, medianStep * 10) }
}

/// How long to wait before trying again: doubling, bounded, with a little chance.
public struct Backoff: Sendable {
    public let first: Duration
    public let longest: Duration
    private var failures = 0

    public init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
    }

    /// The next pause, up to a fifth longer by chance, so that those who failed together spread out.
    public mutating func next() -> Duration {
        let pause = min(longest, first * (1 << min(failures, 20)))
        failures += 1
        return pause * Double.random(in: 1...1.2)
    }

    /// Something went well: the next pause is the first again.
    public mutating func reset() { failures = 0 }
}

/// How tokens are chosen, and when to stop.
public struct Sampling: Sendable, Equatable {
    /// At most so many tokens are generated.
    public var maxTokens: Int
    /// 0 takes the most probable token, the lowest id among equals.
    public var temperature: Double
    /// The random numbers are a function of seed, prompt index and position.
    public var seed: UInt64
    /// Tokens that end an answer; the one that did is kept in it.
    public var stop: Set<Int32>
    /// Chooses among the so many most probable tokens only.
    public var topK: Int?
    /// Chooses among the most probable tokens that together reach this probability.
    public var topP: Double?

    public init(
        maxTokens: Int, temperature: Double = 0, seed: UInt64 = 0, stop: Set<Int32> = [],
        topK: Int? = nil, topP: Double? = nil
    ) {
        self.maxTokens = maxTokens
        self.temperature = temperature
        self.seed = seed
        self.stop = stop
        self.topK = topK
        self.topP = topP
    }
}

extension Sampling {
    /// A token from `probabilities`, by the random number `u` between 0 and 1.
    func choose(_ probabilities: [Float], _ u: Double) -> Int32 {
        let candidates = candidates(probabilities)
        let total = candidates.reduce(0) { $0 + Double(probabilities[$1]) }
        var reached = 0.0
        for candidate in candidates {
            reached += Double(probabilities[candidate])
            if reached > u * total { return Int32(candidate) }
        }
        // Rounding may leave the end unreached.
        return Int32(candidates.last { probabilities[$0] > 0 } ?? 0)
    }

    /// The ids to choose from: all in order, or the most probable first, the lower id among equals.
    private func candidates(_ probabilities: [Float]) -> [Int] {
        let all = Array(probabilities.indices)
        if topK == nil && topP == nil { return all }
        let ordered = all.sorted { (-probabilities[$0], $0) < (-probabilities[$1], $1) }
            .prefix(topK.map { max($0, 1) } ?? all.count)
        guard let topP else { return Array(ordered) }
        let whole = probabilities.reduce(0) { $0 + Double($1) }
        var reached = 0.0
        for (count, index) in ordered.enumerated() {
            reached += Double(probabilities[index])
            if reached >= topP * whole { return Array(ordered.prefix(count + 1)) }
        }
        return Array(ordered)
    }
}

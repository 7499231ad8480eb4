import Datasets

/// How captures become rows.
public struct CurationRules: Sendable, Equatable {
    /// What rows are made of.
    public enum Form: String, Sendable, Codable, CaseIterable {
        /// A question with what is to be learned: a correction, or else the answer.
        case answers
        /// A question with its correction and the answer that was corrected.
        case pairs
        /// A question, with what is right in the field `reference` where that is known.
        case prompts
    }

    /// A piece of the dataset, with its share of all groups of rows.
    public struct Split: Sendable, Equatable, Codable {
        public var name: String
        public var share: Double
        public init(name: String, share: Double) {
            self.name = name
            self.share = share
        }
    }

    public var form: Form
    /// Captures must have one of these; empty: any or none.
    public var signals: [SignalFilter] = []
    /// Models whose answers may be learned though nobody vouches for them; empty: all.
    public var teachers: Set<String> = []
    /// Reactions of sources that are trusted less count for nothing.
    public var trustMin = 0.5
    /// The weight of answers of which nobody said anything; others weigh what their source is trusted.
    public var answerWeight = 0.5
    /// Of the weight of all rows, the most that one source may have.
    public var sourceShareMax = 0.25
    /// The resemblance from which questions are near copies.
    public var near = NearCopies.thresholdDefault
    /// Beside what is learned; the rest of all groups is that.
    public var splits: [Split] = [Split(name: "validation", share: 0.1)]
    /// Chooses who is where.
    public var seed: UInt64 = 0

    public init(form: Form = .answers) { self.form = form }
}

public import Captures
public import Graders
public import Jobs

/// One kind of work that a team's product asks of models, as a person wrote it down: what is asked,
/// what a good answer is, what reactions mean, and how a model of the team's own is made and chosen.
public struct TaskSpecification: Sendable, Equatable {
    /// What the gateway puts around a call of this task.
    public struct Prompt: Sendable, Equatable {
        /// Put first where a call brings no system message of its own.
        public var system: String?
        /// Filled with what a call gives as `flywheel::arguments` in the place of messages.
        public var user: PromptTemplate?

        public init(system: String? = nil, user: PromptTemplate? = nil) {
            self.system = system
            self.user = user
        }
    }

    /// The form that answers have.
    public struct Output: Sendable, Equatable {
        /// A JSON Schema, as a JSON text whose keys are in the order in which they were written.
        public var schema: String
        /// Whether upstreams are asked for it (`response_format`); a model of ours has learned it.
        public var isAsked: Bool

        public init(schema: String, isAsked: Bool = true) {
            self.schema = schema
            self.isAsked = isAsked
        }
    }

    /// What is trained.
    public struct Student: Sendable, Equatable {
        /// Where it begins and how it learns; its name and data are a turn's to fill in.
        public var training: TrainSpecification

        public init(training: TrainSpecification) { self.training = training }
    }

    /// How far one person's word carries.
    public struct Sources: Sendable, Equatable {
        /// The largest share of a dataset's corrected or judged rows that one source may give.
        public var shareMax: Double
        /// Rows of sources whose trust is lower are not learned from.
        public var trustMin: Double

        public init(shareMax: Double = 0.3, trustMin: Double = 0.5) {
            self.shareMax = shareMax
            self.trustMin = trustMin
        }
    }

    /// What one turn of the wheel may cost: teacher, judge and compute together.
    public struct Cycle: Sendable, Equatable {
        /// In the price book's money.
        public var money: Double
        public var hours: Double

        public init(money: Double, hours: Double) {
            self.money = money
            self.hours = hours
        }
    }

    /// How many days captures are kept; nil: as the database is set.
    public struct Retention: Sendable, Equatable {
        /// What was said.
        public var payloadDays: Int?
        /// What the call was.
        public var metadataDays: Int?

        public init(payloadDays: Int? = nil, metadataDays: Int? = nil) {
            self.payloadDays = payloadDays
            self.metadataDays = metadataDays
        }
    }

    public var name: String
    /// Answers until a model of ours is proven, and again when none can.
    public var generalist: UpstreamModel
    /// Labels what a student learns from; the generalist, unless said otherwise.
    public var teacher: AnyModel
    public var student: Student?
    public var prompt = Prompt()
    public var output: Output?
    /// What each kind of feedback says of an answer.
    public var signals = SignalMeaning.standard
    public var golden: DatasetReference?
    public var marking = Marking()
    public var slices = EvaluateSpecification.Slices()
    public var gate = EvaluateSpecification.Gate(promote: true)
    /// Whether the generalist answers where nobody serves the model of the route.
    public var fallsBack = true
    public var sources = Sources()
    public var cycle: Cycle?
    public var retention = Retention()
    /// Taken out of every capture of this task, beside what the gateway takes out anyway.
    public var redacted: Set<PersonalDatum> = []

    /// That a teacher which the file names will not be asked, as a sentence; nil where it will, or none is.
    public var teacherUnasked: String? {
        guard teacher != .upstream(generalist), let method = student?.training.method,
            method != .distill
        else { return nil }
        return
            "teacher: `\(teacher)` is asked nothing, since the student's method is `\(method)`, which "
            + "learns from what was captured; `student: {method: {type: distill}}` has it answer."
    }

    public init(name: String, generalist: UpstreamModel, teacher: AnyModel? = nil) {
        self.name = name
        self.generalist = generalist
        self.teacher = teacher ?? .upstream(generalist)
    }
}

/// What one kind of feedback says of the answer that it is about.
public struct SignalMeaning: Sendable, Equatable {
    /// Which calls of an episode a reaction to the whole of it is credited to.
    public enum Credit: String, Sendable, CaseIterable { case all, last }

    /// Whether its correction is what the model should learn to answer.
    public var isTarget: Bool
    /// How good an answer is that is spoken of so: 0 bad, 1 good; nil: it says nothing of that.
    public var reward: Double?
    /// Of a score: what is 0 and what is 1; a linear scale between.
    public var range: ClosedRange<Double>?
    public var credit: Credit

    public init(
        isTarget: Bool = false, reward: Double? = nil, range: ClosedRange<Double>? = nil,
        credit: Credit = .all
    ) {
        self.isTarget = isTarget
        self.reward = reward
        self.range = range
        self.credit = credit
    }

    /// Where a task says nothing else.
    public static let standard: [FeedbackName: SignalMeaning] = [
        .correction: .init(isTarget: true, reward: 0), .modified: .init(isTarget: true),
        .accepted: .init(reward: 1), .rejected: .init(reward: 0), .resolved: .init(reward: 1),
        .score: .init(range: 0...1),
    ]
}

public import FlywheelCore

/// A model that marks answers, asked over HTTP: who it is, what it is told, and when its word counts.
public struct Judge: Sendable, Equatable {
    public enum Mode: String, Sendable, CaseIterable {
        /// Which of two answers is better, asked in both orders.
        case pairwise
        /// How good one answer is, on a scale.
        case rubric
    }

    /// As the gateway knows it; empty for a model that the gateway finds by its name alone, as those
    /// of the registry.
    public var upstream: String
    public var model: String
    public var prompt: JudgePrompt
    /// What a good answer is, told to the judge.
    public var criteria: String
    /// Nil: what the upstream takes by itself, for models that take no other.
    public var temperature: Double?
    /// Of a verdict at most.
    public var maxTokens: Int

    public init(
        upstream: String, model: String, prompt: JudgePrompt, criteria: String = "",
        temperature: Double? = nil, maxTokens: Int = 1_024
    ) {
        self.upstream = upstream
        self.model = model
        self.prompt = prompt
        self.criteria = criteria
        self.temperature = temperature
        self.maxTokens = maxTokens
    }

    /// `frontier/gpt-5`: what is asked of the gateway.
    public var title: String { upstream.isEmpty ? model : "\(upstream)/\(model)" }

    public var mode: Mode {
        switch prompt.form {
        case .pair: .pairwise
        case .rating: .rubric
        }
    }

    /// Names all that decides what this judge says of a row: its wording, criteria and sampling.
    public var digest: Digest {
        Digest(
            of: JSONValue.object([
                "prompt": prompt.json, "criteria": .string(criteria),
                "temperature": temperature.map { .number($0) } ?? .null,
                "maxTokens": .integer(Int64(maxTokens)),
            ]).canonical)
    }
}

/// What must be known of a judge's agreement with people before a gate relies on it.
public struct JudgeFloor: Sendable, Equatable {
    /// What the lower end of the interval around Cohen's kappa must reach.
    public var kappa: Double
    /// What the lower end of the interval around the accuracy must reach.
    public var accuracy: Double
    /// How old the measurement may be.
    public var days: Int

    /// 0.4: what Landis and Koch (1977) call moderate begins there.
    public init(kappa: Double = 0.4, accuracy: Double = 0, days: Int = 30) {
        self.kappa = kappa
        self.accuracy = accuracy
        self.days = days
    }
}

/// A judge with the name under which its metric appears, and what a gate asks of it.
public struct NamedJudge: Sendable, Equatable {
    public var name: String
    public var judge: Judge
    public var floor: JudgeFloor

    public init(_ name: String, _ judge: Judge, floor: JudgeFloor = JudgeFloor()) {
        self.name = name
        self.judge = judge
        self.floor = floor
    }
}

/// One question to a judge: what it is asked, and the name under which its answer is kept.
public struct JudgeCall: Sendable, Equatable {
    /// Of judge, prompt, question and answers in their order.
    public let digest: Digest
    public let system: String
    public let user: String
    public let judge: Judge

    /// As the gateway takes it.
    public var request: JSONValue {
        var messages: [JSONValue] = [["role": "user", "content": .string(user)]]
        if !system.isEmpty {
            messages.insert(["role": "system", "content": .string(system)], at: 0)
        }
        var request: [String: JSONValue] = [
            "model": .string(judge.title), "messages": .array(messages),
            "max_completion_tokens": .integer(Int64(judge.maxTokens)),
        ]
        request["temperature"] = judge.temperature.map { .number($0) }
        return .object(request)
    }

    /// - Parameter answers: one to rate, or two as they are shown.
    public init(_ judge: Judge, question: String, answers: [String], reference: String) {
        var values: [JudgePrompt.Place: String] = [
            .question: question, .reference: reference, .criteria: judge.criteria,
        ]
        switch judge.mode {
        case .pairwise:
            precondition(answers.count == 2, "a pair has two answers")
            values[.answerA] = answers[0]
            values[.answerB] = answers[1]
        case .rubric:
            precondition(answers.count == 1, "one answer is rated at a time")
            values[.answer] = answers[0]
        }
        (system, user) = judge.prompt.filled(values)
        self.judge = judge
        digest = Digest(
            of: JSONValue.object([
                "upstream": .string(judge.upstream), "model": .string(judge.model),
                "judge": .string(judge.digest.hex), "question": .string(question),
                "reference": .string(judge.prompt.uses(.reference) ? reference : ""),
                "answers": .array(answers.map { .string($0) }),
            ]).canonical)
    }
}

public import Datasets
import Distillation
import FlywheelCore
public import Foundation
public import Jobs

extension Question {
    /// What `row` asks, without its answer, put to `model`; nil for a row that asks nothing.
    ///
    /// Without a temperature, the upstream's own holds: some models know no other.
    public init?(
        id: String, row: DatasetRow, model: String, temperature: Double?, maxTokens: Int
    ) {
        guard let question = row.question else { return nil }
        let asked = DatasetFile.jsonl([DatasetRow(.chat(question.messages), id: "1")])
        let messages = (try? JSONValue(parsing: asked))?["messages"] ?? []
        var body: [String: JSONValue] = [
            "model": .string(model), "messages": messages,
            "max_completion_tokens": .integer(Int64(maxTokens)),
        ]
        body["temperature"] = temperature.map { .number($0) }
        if !question.tools.isEmpty { body["tools"] = .array(question.tools) }
        self.init(id: id, body: .object(body))
    }
}

extension Budget {
    public init(_ limits: CallLimits) {
        self.init(
            // By way of its decimals, as somebody wrote it.
            money: limits.money.flatMap { Decimal(plain: "\($0)") }, tokens: limits.tokens)
    }
}

extension Decimal {
    /// From digits with a point, wherever this program runs.
    public init?(plain text: String) {
        self.init(string: text, locale: Locale(identifier: "en_US_POSIX"))
    }
}

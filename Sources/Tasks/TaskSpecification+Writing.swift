import Captures
public import FlywheelCore
import Graders
import Jobs

extension TaskSpecification {
    /// All of it, with what was left out filled in; reads back as the same task.
    ///
    /// The schema's keys are not in order here: `output.schema` has them.
    public var json: JSONValue {
        var members: [String: JSONValue] = [
            "task": .string(name), "generalist": generalist.json, "teacher": teacher.json,
            "signals": .object(
                Dictionary(
                    uniqueKeysWithValues: signals.map { ($0.key.rawValue, $0.value.json) })),
            "graders": marking.json, "slices": slices.json,
            "gate": gate.json,
            "route": ["fallback": fallsBack ? "generalist" : "none"],
            "sources": [
                "shareMax": .number(sources.shareMax), "trustMin": .number(sources.trustMin),
            ],
            "redact": .array(redacted.map(\.rawValue).sorted().map { .string($0) }),
        ]
        members["student"] = student.map { .object($0.training.student) }
        members["golden"] = golden.map { .string($0.description) }
        members["prompt"] = prompt.json
        members["output"] = output.map { output in
            [
                "schema": (try? JSONValue(parsing: Array(output.schema.utf8))) ?? [:],
                "ask": .boolean(output.isAsked),
            ]
        }
        members["cycle"] = cycle.map {
            ["money": .number($0.money), "hours": .number($0.hours)]
        }
        members["retention"] = retention.json
        return .object(members)
    }
}

extension TaskSpecification.Prompt {
    fileprivate var json: JSONValue {
        var members: [String: JSONValue] = [:]
        members["system"] = system.map { .string($0) }
        members["user"] = user.map { .string($0.text) }
        return .object(members)
    }
}

extension TaskSpecification.Retention {
    fileprivate var json: JSONValue {
        var members: [String: JSONValue] = [:]
        members["payloads"] = payloadDays.map { .string("\($0)d") }
        members["metadata"] = metadataDays.map { .string("\($0)d") }
        return .object(members)
    }
}

extension SignalMeaning {
    fileprivate var json: JSONValue {
        var members: [String: JSONValue] = ["credit": .string(credit.rawValue)]
        if isTarget { members["target"] = "output" }
        members["reward"] = reward.map { .number($0) }
        members["range"] = range.map { [.number($0.lowerBound), .number($0.upperBound)] }
        return .object(members)
    }
}

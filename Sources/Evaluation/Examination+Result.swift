public import FlywheelCore
import Graders
public import Jobs

extension Examination {
    /// The examination as `flywheel.record_evaluation` takes it.
    ///
    /// - Parameter objections: by metric, why the gate may not rely on it.
    public func result(
        gate: EvaluateSpecification.Gate?, objections: [String: String] = [:]
    ) -> JSONValue {
        let decision = gate.map { gate in
            Gate(
                gate.require.map {
                    .init(
                        metric: $0.metric, slice: $0.slice, margin: $0.margin, atLeast: $0.atLeast)
                }, objections: objections
            ).decide(self)
        }
        return [
            "model": .string(candidate.model),
            "incumbent": incumbent.map { .string($0.model) } ?? .null,
            "is_passed": decision.map { .boolean($0.isPassed) } ?? .null,
            "promotes": .boolean((gate?.promote ?? false) && (decision?.isPassed ?? false)),
            "sentence": .string(
                decision?.sentence ?? "No gate was asked for, so nothing was promoted."),
            "conditions": .array((decision?.findings ?? []).map(row)),
            "scorecards": .array(scorecards.map(row)),
            "comparisons": .array(comparisons.map(row)),
            "questions": .array(
                exam.questions.map { question in
                    [
                        "row_id": .string(question.id), "question": .string(question.shown),
                        "slices": .array(question.slices.map { .string($0) }),
                    ]
                }),
            "verdicts": .array(
                sittings.flatMap { sitting in
                    sitting.verdicts.map { row($0, of: sitting.model) }
                }),
        ]
    }

    private func row(_ finding: Gate.Finding) -> JSONValue {
        [
            "metric": .string(finding.condition.metric), "slice": .string(finding.condition.slice),
            "margin": .number(finding.condition.margin),
            "at_least": .number(finding.condition.atLeast), "is_met": .boolean(finding.isMet),
            "clause": .string(finding.clause),
        ]
    }

    private func row(_ card: Scorecard) -> JSONValue {
        JSONValue.object(members(of: card.interval)).merging([
            "model": .string(card.model), "metric": .string(card.metric),
            "slice": .string(card.slice), "n": .integer(Int64(card.n)),
        ])
    }

    private func row(_ comparison: Comparison) -> JSONValue {
        JSONValue.object(members(of: comparison.difference)).merging([
            "model": .string(comparison.model), "metric": .string(comparison.metric),
            "slice": .string(comparison.slice), "n": .integer(Int64(comparison.n)),
            "gained": .integer(Int64(comparison.gained)), "lost": .integer(Int64(comparison.lost)),
            "p_value": comparison.pValue.map { .number($0) } ?? .null,
        ])
    }

    private func members(of interval: Interval) -> [String: JSONValue] {
        [
            "value": .number(interval.value), "low": .number(interval.low),
            "high": .number(interval.high),
        ]
    }

    private func row(_ verdict: Exam.Verdict, of model: String) -> JSONValue {
        let scores = zip(exam.marking.metrics, verdict.scores).compactMap { metric, score in
            score.map { (metric.name, JSONValue.number($0)) }
        }
        return [
            "model": .string(model), "row_id": .string(verdict.id),
            "answer": .string(verdict.answer), "expected": .string(verdict.expected),
            "score": verdict.scores[exam.marking.scorePlace].map { .number($0) } ?? .null,
            "scores": .object(Dictionary(scores, uniquingKeysWith: { first, _ in first })),
        ]
    }
}

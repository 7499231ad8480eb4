import FlywheelCore
import Foundation
import Postgres
import TestSupport
import Testing

/// `distill` jobs whose teacher is a model of ours, and students that learn from what it thought.
@Suite(.timeLimit(.minutes(4)))
struct LabellingWithAModelOfOurs {
    private static func answer(to number: Int) -> String { number % 2 == 0 ? "yes" : "no" }

    private func train(_ yard: LabellingYard) async throws {
        let rows = (1...40).map { number in
            """
            {"messages":[{"role":"user","content":"question \(number)"},\
            {"role":"assistant","content":"\(Self.answer(to: number))"}]}
            """
        }
        let path = "\(yard.gateway.home)/lesson.jsonl"
        try rows.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        let id = try yard.submit(
            """
            kind: train
            name: teacher
            model: {new: {architecture: llama, hidden: 32, layers: 1, heads: 2, intermediate: 48,
              vocabulary: 300, positionsMax: 64}}
            data: \(path)
            validation: {share: 0}
            schedule: {steps: 60, learningRate: 0.02}
            batch: {lanes: 2, rowTokens: 64}
            overlong: drop
            """)
        let job = try await yard.wait(for: id)
        #expect(job["state"] == "succeeded", "\(job)")
    }

    private func label(_ yard: LabellingYard, ranks: Int) async throws -> JSONValue {
        let id = try yard.submit(
            """
            kind: distill
            name: labels-\(ranks)
            prompts: questions@latest
            teacher: {model: teacher@1}
            sampling: {temperature: 0.9, maxTokens: 24, topLogprobs: 5}
            smoke: {first: 16, pass: 4}
            ranks: {min: \(ranks), max: \(ranks)}
            """)
        let job = try await yard.wait(for: id)
        #expect(job["state"] == "succeeded", "\(job)")
        return job["result"] ?? .null
    }

    private func distil(_ yard: LabellingYard, ranks: Int) async throws -> JSONValue {
        let id = try yard.submit(
            """
            kind: train
            name: student-\(ranks)
            model: {new: {architecture: llama, hidden: 16, layers: 1, heads: 2, intermediate: 24,
              vocabulary: 300, positionsMax: 64, tokenizer: teacher@1}}
            data: labels-1@latest
            method: {type: distill, mix: 0.7, curated: \(yard.gateway.home)/lesson.jsonl}
            validation: {share: 0}
            schedule: {steps: 6, learningRate: 0.01}
            batch: {lanes: 2, rowTokens: 64}
            overlong: drop
            ranks: {min: \(ranks), max: \(ranks)}
            """)
        let job = try await yard.wait(for: id)
        #expect(job["state"] == "succeeded", "\(job)")
        return job["result"] ?? .null
    }

    @Test func `the rows and the student are the same for one rank and for two`() async throws {
        try await ScriptedUpstream.lend({ _, _ in GatewayClients.answer("unused") }) { upstream in
            try await LabellingYard.lend(before: upstream) { yard in
                try yard.importQuestions(150)
                try await yard.start("worker", "--slots", "2")
                try await train(yard)
                let alone = try await label(yard, ranks: 1)
                let shared = try await label(yard, ranks: 2)
                #expect(alone["digest"]?.string != nil)
                #expect(alone["digest"] == shared["digest"], "\(alone) \(shared)")
                let rows = try yard.rows(of: "labels-1")
                #expect(rows.count >= 100, "\(alone)")
                let thoughts = rows[0]["teacher"]?["logprobs"]
                #expect(thoughts?["tokens"]?[0]?["top"]?.array?.count == 5)
                #expect(thoughts?["tokenizer"]?.string?.count == 64)
                #expect(upstream.asked.isEmpty)

                let student = try await distil(yard, ranks: 1)
                let other = try await distil(yard, ranks: 2)
                #expect(student["digest"] == other["digest"])
                // The lesson was written by hand: it stands where the teacher answered something else.
                let lesson = Dictionary(
                    uniqueKeysWithValues: (1...40).map { ("q\($0)", Self.answer(to: $0)) })
                let answers = rows.map { row in
                    let said = row["messages"]?.array?.last?["content"]?.string ?? ""
                    let answer = said.lowercased().trimmingCharacters(in: .whitespaces)
                    return (row["id"]?.string ?? "", answer)
                }
                let agreed = answers.count { lesson[$0.0] == $0.1 }
                let replaced = answers.count { lesson[$0.0] != nil } - agreed
                // And keeps what the teacher thought of the question.
                #expect(student["teaching"]?["taught"]?.integer == Int64(rows.count))
                #expect(student["precedence"]?["replaced"]?.integer == Int64(replaced))
                #expect(student["teaching"]?["plain"]?.integer == Int64(40 - agreed - replaced))
                #expect(student["teaching"]?["foreign"] == 0)
            }
        }
    }
}

import Datasets
import FlywheelCore
import Foundation
import Testing
import Tokenizers

private let data = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]

/// Files that people really have.
@Suite(.enabled(if: data != nil, "set FLYWHEEL_TEST_DATA to the folder of test data"))
struct Samples {
    struct Sample: Sendable {
        var file: String
        var rows: Int
        var shape: DatasetRow.Shape
    }

    @Test(arguments: [
        Sample(file: "instruct_samples/dpo_en_demo_dev.jsonl", rows: 209, shape: .preference),
        Sample(file: "instruct_samples/kto_en_demo_dev.jsonl", rows: 210, shape: .labelled),
        Sample(file: "instruct_samples/glaive_toolcall_en_demo_dev.jsonl", rows: 209, shape: .chat),
        Sample(file: "instruct_samples/reason_tool_use_dev.jsonl", rows: 35, shape: .chat),
        Sample(file: "captured_traffic/calls_dev.jsonl", rows: 1_400, shape: .chat),
        Sample(file: "text_to_sql/train.jsonl", rows: 1_000, shape: .completion),
        Sample(file: "banking77/train.jsonl", rows: 10_003, shape: .text),
    ])
    func `each comes in whole, and is kept in a form that is read as itself`(
        _ sample: Sample
    ) throws {
        let rows = try DatasetFile.rows(at: "\(try #require(data))/\(sample.file)", ending: .any)
        #expect(rows.count == sample.rows)
        #expect(rows.allSatisfy { $0.content.shape == sample.shape })
        let kept = DatasetFile.jsonl(rows)
        #expect(try DatasetFile.rows(of: [("kept", kept)], ending: .any) == rows)
        #expect(kept.count { $0 == UInt8(ascii: "\n") } == sample.rows)
    }

    @Test func `no call, tool or thought of the samples is lost`() throws {
        func messages(_ file: String) throws -> [[String: Int]] {
            let path = "\(try #require(data))/instruct_samples/\(file)"
            return try DatasetFile.rows(at: path, ending: .any).map { row in
                guard case .chat(let messages, let tools) = row.content else { return [:] }
                return [
                    "calls": messages.reduce(0) { $0 + $1.toolCalls.count }, "tools": tools.count,
                    "thoughts": messages.count { $0.reasoning != nil },
                ]
            }
        }
        func sum(_ rows: [[String: Int]], _ key: String) -> Int {
            rows.reduce(0) { $0 + ($1[key] ?? 0) }
        }
        // Counted in the files with another reader.
        let glaive = try messages("glaive_toolcall_en_demo_dev.jsonl")
        #expect(sum(glaive, "calls") == 140 && sum(glaive, "tools") == 148)
        let reasoned = try messages("reason_tool_use_dev.jsonl")
        #expect(sum(reasoned, "calls") == 49 && sum(reasoned, "thoughts") == 79)
    }
}

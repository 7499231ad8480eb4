import FlywheelCore
import Foundation
import Jobs
import Postgres
import Stores
import TestSupport
import Testing

@Suite struct `What a build made` {
    private static func piece(_ split: String, _ text: String, capture: UUID) -> Outcome.Piece {
        Outcome.Piece(
            split: split, digest: Digest(of: text), bytes: 10,
            facts: [
                "split": .string(split), "shape": "chat", "rows": 1, "card": ["rows": 1],
                "golden": [.string(Digest(of: "golden").hex)],
                "origins": [
                    [
                        "row": .string(capture.text), "capture": .string(capture.text),
                        "end_user": "ada", "is_copy": false,
                    ]
                ],
            ])
    }

    @Test func `is recorded with the end of the job, once, and under its fence alone`() async throws
    {
        try await withQueue { queue in
            let worker = try await queue.worker()
            let (first, second) = (UUID(), UUID())
            func outcome(_ text: String) -> Outcome {
                Outcome(
                    result: ["captures": 2],
                    pieces: [
                        Self.piece("", text, capture: first),
                        Self.piece("validation", text + " held", capture: second),
                    ])
            }
            let job = try await queue.submit("intent", kind: "build")
            let stale = try await queue.claimOne(for: worker)
            try await queue.expireLeases()
            try await queue.reap()
            try await queue.pool.execute(
                "UPDATE flywheel.setting SET lease_grant = '1 min', reap_grace = '5 s'")
            let next = try await queue.worker()
            let lease = try await queue.claimOne(for: next)
            await #expect(throws: LeaseLoss.fenced(stale)) {
                try await queue.store.finish(stale, outcome: outcome("stale"))
            }
            // The answer to the first commit may be lost: it is asked for again.
            for _ in 0..<2 {
                #expect(
                    try await queue.store.finish(lease, outcome: outcome("rows")) == .succeeded)
            }
            let datasets = try await queue.pool.values(
                "SELECT name || '@' || version || ' ' || source FROM flywheel.datasets",
                as: String.self)
            #expect(
                Set(datasets) == ["intent@1 job \(job)", "intent-validation@1 job \(job)"])
            let result = try await queue.pool.value(
                "SELECT result FROM flywheel.jobs WHERE id = \(job)", as: JSONValue.self)
            #expect(
                result["datasets"]?.array?.map { $0["name"] } == [
                    "intent@1", "intent-validation@1",
                ])
            #expect(result["captures"] == 2)
            let origins = try await queue.pool.values(
                "SELECT capture_id FROM flywheel.dataset_captures WHERE dataset = 'intent@1'",
                as: UUID.self)
            #expect(origins == [first])
            let compared = try await queue.pool.value(
                "SELECT count(*)::int FROM flywheel.golden_copy WHERE exact + near = 0",
                as: Int.self)
            #expect(compared == 2)
        }
    }

    @Test func `is nothing where the job was cancelled as it finished`() async throws {
        try await withQueue { queue in
            let worker = try await queue.worker()
            let job = try await queue.submit("intent", kind: "build")
            let lease = try await queue.claimOne(for: worker)
            _ = try await queue.store.cancel(job)
            let outcome = Outcome(
                result: [:], pieces: [Self.piece("", "rows", capture: UUID())])
            #expect(try await queue.store.finish(lease, outcome: outcome) == .cancelled)
            let datasets = try await queue.pool.value(
                "SELECT count(*)::int FROM flywheel.datasets", as: Int.self)
            #expect(datasets == 0)
        }
    }
}

import FlywheelCore
import Jobs
import Postgres
import Stores
import Testing

@Suite struct `A book of artifacts` {
    private let made = Digest(of: "made")

    @Test func `a token ends with its attempt, and what an attempt claims is named`() async throws {
        try await withQueue { queue in
            let book = ArtifactBook(queue.pool)
            let (token, late) = (Digest(of: "token"), Digest(of: "late"))
            #expect(try await book.access(token) == nil)
            _ = try await queue.submit("a")
            let lease = try await queue.claimOne(for: try await queue.worker())
            #expect(try await book.lend(token, under: lease.fence))
            #expect(try await book.access(token) == "write")
            #expect(try await book.unnamed([made]) == [made])
            try await book.claim([made], for: lease)
            try await book.claim([made], for: lease)
            #expect(try await book.unnamed([made]) == [])
            _ = try await queue.store.finish(lease, outcome: Outcome(result: [:]))
            #expect(try await book.access(token) == nil)
            #expect(try await book.unnamed([made]) == [made])
            #expect(try await book.lend(late, under: lease.fence) == false)
            await #expect(throws: LeaseLoss.fenced(lease)) {
                try await book.claim([made], for: lease)
            }
            // A person's is bound to nothing, and ends by itself.
            #expect(try await book.lend(late, under: nil))
            #expect(try await book.access(late) == "write")
            try await queue.pool.execute(
                "UPDATE flywheel.artifact_token SET expires_at = clock_timestamp() - interval '1 s'"
            )
            #expect(try await book.access(late) == nil)
        }
    }

    @Test func `what datasets and specifications name is not an orphan`() async throws {
        try await withQueue { queue in
            let book = ArtifactBook(queue.pool)
            let (rows, base) = (Digest(of: "rows"), Digest(of: "base"))
            try await queue.pool.execute(
                """
                INSERT INTO flywheel.dataset (name, version, digest, shape, rows, bytes)
                VALUES ('rows', 1, \(rows.hex), 'chat', 1, 1)
                """)
            _ = try await queue.store.submit(
                Submission(
                    name: "a", kind: "train",
                    spec: ["resolved": ["base": ["folder": ["config.json": .string(base.hex)]]]]))
            #expect(try await book.unnamed([rows, base, made]) == [made])
        }
    }

    @Test func `a checkpoint is spent when a newer one or its job's end replaces it`() async throws
    {
        try await withQueue { queue in
            let book = ArtifactBook(queue.pool)
            _ = try await queue.submit("a")
            let lease = try await queue.claimOne(for: try await queue.worker())
            try await queue.store.started(lease, numericProfile: "p", stepsTotal: 3)
            func keep(_ step: Int) async throws -> Digest {
                let file = Digest(of: "file \(step)")
                try await queue.store.record(
                    CheckpointRecord(
                        step: step, path: "/c/\(step)", bytes: 1, digest: file,
                        weightsDigest: Digest(of: "weights \(step)")), for: lease)
                return file
            }
            let (first, second) = (try await keep(1), try await keep(2))
            #expect(try await book.spentCheckpoints(atMost: 9) == [first])
            #expect(try await book.isSpentCheckpoint(first))
            #expect(try await book.isSpentCheckpoint(second) == false)
            // Somebody else is adding the same bytes.
            try await book.claim([first], for: lease)
            #expect(try await book.spentCheckpoints(atMost: 9) == [])
            _ = try await queue.store.fail(lease, .loss, reason: "it was killed")
            #expect(try await book.spentCheckpoints(atMost: 9) == [first])
            try await book.forgetCheckpoints([first, second])
            #expect(try await book.spentCheckpoints(atMost: 9) == [])
            _ = try await queue.store.cancel(lease.job)
            #expect(try await book.spentCheckpoints(atMost: 9) == [second])
        }
    }

    @Test func `a node in trouble takes no work, and an operator's word stands above its own`()
        async throws
    {
        try await withQueue { queue in
            let worker = try await queue.worker()
            func node() async throws -> String {
                try await queue.pool.value(
                    "SELECT state || ': ' || coalesce(reason, '') FROM flywheel.node LIMIT 1")
            }
            _ = try await queue.submit("a")
            try await queue.store.report(trouble: "no room", of: worker)
            #expect(try await node() == "draining: no room")
            #expect(try await queue.store.claim(for: worker, atMost: 1).isEmpty)
            try await queue.store.report(trouble: nil, of: worker)
            #expect(try await node() == "up: ")
            try await queue.pool.execute(
                "UPDATE flywheel.node SET state = 'draining', reason = 'maintenance'")
            try await queue.store.report(trouble: "no room", of: worker)
            try await queue.store.report(trouble: nil, of: worker)
            #expect(try await node() == "draining: maintenance")
        }
    }
}

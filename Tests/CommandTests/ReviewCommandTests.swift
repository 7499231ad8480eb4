import FlywheelCore
import Foundation
import Glibc
import Postgres
import Synchronization
import TestSupport
import Testing

/// The real `flywheel` at a terminal of its own, whose keys a test presses.
final class TerminalCommand: Sendable {
    private let main: FileHandle
    fileprivate let process: Process
    private let seen = Mutex("")

    init(_ arguments: String..., in variables: [String: String]) throws {
        var (main, terminal) = (CInt(), CInt())
        guard unsafe openpty(&main, &terminal, nil, nil, nil) == 0 else {
            throw POSIXError(.init(rawValue: errno) ?? .EIO)
        }
        self.main = FileHandle(fileDescriptor: main, closeOnDealloc: true)
        let inside = FileHandle(fileDescriptor: terminal, closeOnDealloc: true)
        process = Process()
        process.executableURL = Command.executable
        process.arguments = arguments
        process.environment = [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "dumb",
            "COLUMNS": "100",
        ].merging(variables) { _, given in given }
        process.standardInput = inside
        process.standardOutput = inside
        process.standardError = inside
        try process.run()
        try inside.close()
        // A terminal whose last user has left answers with an error, which ends the reading.
        Thread.detachNewThread { [self] in
            var bytes = [UInt8](repeating: 0, count: 4_096)
            while true {
                let count = unsafe read(self.main.fileDescriptor, &bytes, bytes.count)
                guard count > 0 else { return }
                seen.withLock { $0 += String(decoding: bytes[..<count], as: UTF8.self) }
            }
        }
    }

    /// What was shown since the last key.
    var screen: String { seen.withLock(\.self) }

    /// Presses keys once `text` is shown.
    func press(_ keys: String, when text: String) async throws {
        try await wait(for: text)
        seen.withLock { $0 = "" }
        try main.write(contentsOf: Data(keys.utf8))
    }

    func wait(for text: String) async throws {
        for _ in 0..<600 {
            if screen.contains(text) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("`\(text)` was not shown, but \(screen)")
        throw CancellationError()
    }

    /// Waits for the end; the status.
    func end() async throws -> Int32 {
        for _ in 0..<600 where process.isRunning { try await Task.sleep(for: .milliseconds(50)) }
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
        return process.terminationStatus
    }
}

@Suite struct `Reviews at the keyboard` {
    private static func items(of place: Workplace) async throws -> [String] {
        try await place.database.pool.values(
            """
            SELECT concat_ws(' ', position, decision, correction, was_seen) FROM flywheel.review_items
            WHERE decision IS NOT NULL ORDER BY position
            """, as: String.self)
    }

    @Test func `keep every decision at once, go on where they were left, and end in a golden set`()
        async throws
    {
        try await Workplace.lend { place in
            let file = try place.write(`Datasets of captures`.calls(30), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", file, "--captures")
            func review() throws -> TerminalCommand {
                try TerminalCommand(
                    "tasks", "review", "capital", "--rows", "4", in: place.variables)
            }

            let first = try review()
            try await first.wait(for: "space show the model's answer")
            #expect(first.screen.contains("1 of 4"))
            #expect(!first.screen.contains("City of"), "the answer is shown before it is asked for")
            #expect(!first.screen.contains("unrated"), "what it was drawn for gives it away")
            try await first.press("y", when: "e write the answer")
            try await first.press(" ", when: "Look at the answer first")
            try await first.press("y", when: "City of")
            try await first.press("e", when: "2 of 4")
            // What is typed may hold letters of two bytes, and mistakes.
            try await first.press("Zürichx\u{7F}\r", when: "Enter keeps it")
            try await first.press("q", when: "3 of 4")
            #expect(try await first.end() == 0)
            #expect(first.screen.contains("2 of 4 decided and kept."), "\(first.screen)")
            #expect(try await Self.items(of: place) == ["1 right t", "2 corrected Zürich f"])

            let second = try review()
            try await second.press("s", when: "3 of 4")
            try await second.press("e", when: "4 of 4")
            try await second.press("Rome\r", when: "Enter keeps it")
            try await second.press("f", when: "All are decided")
            #expect(try await second.end() == 0)
            #expect(second.screen.contains("capital-golden@1: 3 golden rows"), "\(second.screen)")

            let golden = try await place.flywheel("data", "export", "capital-golden")
            let answers = golden.output.split(separator: "\n").compactMap {
                try? JSONValue(parsing: $0.utf8)["messages"]?.array?.last?["content"]?.string
            }
            #expect(Set(answers).isSuperset(of: ["Zürich", "Rome"]) && answers.count == 3)
            let built = try await place.flywheel("data", "build", "capital", "--json")
            // Each golden call with the other one of its episode.
            let barred = built.json?["card"]?["omitted"]?["golden"]?.integer ?? 0
            #expect((3...6).contains(barred), "\(built.error)")
            let learned = try await place.database.pool.values(
                """
                SELECT capture_id::text FROM flywheel.dataset_captures WHERE NOT is_golden
                INTERSECT SELECT capture_id::text FROM flywheel.golden_captures
                """, as: String.self)
            #expect(learned.isEmpty)
        }
    }

    @Test func `grow to the rows that are asked for, and say what became of fewer`() async throws {
        try await Workplace.lend { place in
            let file = try place.write(`Datasets of captures`.calls(10), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", file, "--captures")
            func leave(rows: Int, when text: String) async throws -> String {
                let review = try TerminalCommand(
                    "tasks", "review", "capital", "--rows", "\(rows)", in: place.variables)
                try await review.wait(for: "f freeze  q leave")
                let screen = review.screen
                try await review.press("q", when: text)
                #expect(try await review.end() == 0)
                return screen
            }
            let first = try await leave(rows: 3, when: "1 of 3")
            #expect(!first.contains("--rows"), "nothing became of it but what it says")
            let captures: [String] = try await place.database.pool.values(
                "SELECT capture_id::text FROM flywheel.review_items ORDER BY position",
                as: String.self)
            let more = try await leave(rows: 6, when: "1 of 6")
            #expect(more.contains("3 captures were added, as --rows 6 says."), "\(more)")
            let fewer = try await leave(rows: 2, when: "1 of 6")
            #expect(fewer.contains("asks about 6 captures already, so --rows 2 left it"))
            let all = try await leave(rows: 50, when: "1 of 10")
            #expect(all.contains("Of --rows 50 there are 10: no other capture"), "\(all)")
            let now: [String] = try await place.database.pool.values(
                "SELECT capture_id::text FROM flywheel.review_items ORDER BY position",
                as: String.self)
            #expect(Array(now.prefix(3)) == captures && Set(now).count == 10)
        }
    }

    @Test func `killed at any key lose no decision`() async throws {
        try await Workplace.lend { place in
            let file = try place.write(`Datasets of captures`.calls(10), to: "calls.jsonl")
            _ = try await place.flywheel("data", "import", file, "--captures")
            let review = try TerminalCommand(
                "tasks", "review", "capital", "--rows", "3", in: place.variables)
            try await review.press("s", when: "1 of 3")
            try await review.press("e", when: "2 of 3")
            try await review.press("half a thou", when: "Enter keeps it")
            try await review.wait(for: "> half a thou")
            review.kill()
            _ = try await review.end()
            #expect(try await Self.items(of: place) == ["1 skipped f"])
        }
    }

    @Test func `are refused where there is no keyboard, and freeze without one`() async throws {
        try await Workplace.lend { place in
            let refused = try await place.flywheel("tasks", "review", "capital")
            #expect(refused.status == 65)
            #expect(
                refused.error.contains(
                    "a review is done at a keyboard, and this is no terminal. Nothing was changed.")
            )
            let none = try await place.flywheel("tasks", "review", "capital", "--freeze")
            #expect(none.status == 65)
            #expect(
                none.error.contains("no review of `capital-golden` is open. Nothing was frozen."))
            let empty = try TerminalCommand("tasks", "review", "capital", in: place.variables)
            #expect(try await empty.end() == 65)
            #expect(empty.screen.contains("none can be asked about"))
        }
    }
}

extension TerminalCommand {
    func kill() { Glibc.kill(process.processIdentifier, SIGKILL) }
}

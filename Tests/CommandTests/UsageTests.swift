import FlywheelCore
import Foundation
import TestSupport
import Testing

@Suite struct Usage {
    @Test(arguments: [
        ["nope"], ["jobs", "nope"], ["submit"], ["doctor", "--nope"], ["sql", "--json"],
        ["jobs", "list", "--state", "asleep"], ["data", "import", "rows.jsonl"],
    ])
    func `wrong usage exits with 64 and says how it is meant`(arguments: [String]) async throws {
        let command = try await Command.flywheel(arguments)
        #expect(command.status == 64)
        #expect(command.output.isEmpty)
        #expect(command.error.contains("Usage: flywheel"))
        #expect(command.error.hasPrefix("error: "), "\(command.error)")
    }

    @Test func `help lists the commands`() async throws {
        let command = try await Command.flywheel("--help")
        #expect(command.status == 0)
        for name in ["submit", "jobs", "data", "models", "nodes", "migrate", "sql", "doctor"] {
            #expect(command.output.contains("  \(name) "))
        }
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `shells get completions`(shell: String) async throws {
        let command = try await Command.flywheel("--generate-completion-script", shell)
        #expect(command.status == 0)
        #expect(command.output.contains("flywheel"))
        #expect(command.output.contains("doctor"))
    }

    @Test func `a command that needs a database says that none runs, and exits with 69`()
        async throws
    {
        let none = try await Command.flywheel("jobs", "list")
        #expect(none.status == 69)
        #expect(none.error.contains("Start `flywheel up`, or set FLYWHEEL_DATABASE_URL."))
        let other = try await Command.flywheel(
            "jobs", "list", in: ["FLYWHEEL_DATABASE_URL": "postgresql://127.0.0.1:1/none"])
        #expect(other.status == 69)
        #expect(other.error.contains("PostgreSQL cannot be reached"))
    }

    @Test func `a variable that cannot be used is named`() async throws {
        let home = try await Command.flywheel("doctor", in: ["FLYWHEEL_HOME": "here"])
        #expect(home.status == 65)
        #expect(home.error.contains("FLYWHEEL_HOME: `here` is not an absolute path."))
        let level = try await Command.flywheel("doctor", in: ["FLYWHEEL_LOG": "wraning"])
        #expect(level.status == 65)
        #expect(level.error.contains("Did you mean `warning`?"))
    }
}

@Suite struct Tables {
    @Test func `a terminal gets aligned columns under a heading, cut to its width`() async throws {
        try await Workplace.lend { place in
            try await place.importRows()
            let text = Workplace.train.replacing("name: small", with: "name: a-long-name")
            _ = try await place.flywheel("submit", "-", input: Workplace.train)
            _ = try await place.flywheel("submit", "-", "--set", "after=[1]", input: text)
            let list = try await Command.flywheelOnTerminal(
                "jobs", "list",
                in: place.variables.merging(["NO_COLOR": "1", "COLUMNS": "76"]) { _, new in new })
            let lines = list.output.split(whereSeparator: \.isNewline)
            try #require(lines.count == 3, "\(list.output)")
            #expect(lines[0].hasPrefix("ID  NAME         KIND   STATE "))
            #expect(lines[1].hasPrefix(" 1  small        train  queued"))
            #expect(lines[2].hasPrefix(" 2  a-long-name  train  held  "))
            #expect(lines[1].hasSuffix("…"))
            #expect(lines.allSatisfy { $0.count <= 76 })
        }
    }
}

@Suite struct DoctorCommandTests {
    @Test func `doctor's JSON names every check and its state`() async throws {
        let command = try await Command.flywheel("doctor", "--json")
        let report = try #require(command.json)
        let checks = try #require(report["checks"]?.array)
        let names = Set(checks.compactMap { $0["name"]?.string })
        #expect(names.isSuperset(of: ["postgresql", "mpirun", "memory", "home"]))
        let missing = checks.filter { $0["state"] == "missing" }
        #expect(report["ok"]?.boolean == missing.isEmpty)
        #expect(command.status == (missing.isEmpty ? 0 : 69))
        for check in missing { #expect(check["get"]?.string != nil, "\(check)") }
    }

    @Test func `what is missing is named, with the way to get it, and the status is 69`()
        async throws
    {
        let command = try await Command.flywheel("doctor", in: ["PATH": "/nowhere"])
        #expect(command.status == 69)
        let line = command.output.split(separator: "\n").first { $0.hasPrefix("mpirun\t") }
        #expect(line == "mpirun\tmissing\tnot found\tapt-get install openmpi-bin")
    }

    @Test func `a terminal gets marks in color, and none under NO_COLOR`() async throws {
        let plain = try await Command.flywheelOnTerminal("doctor", in: ["NO_COLOR": "1"])
        #expect(plain.output.contains("✓ memory"))
        #expect(!plain.output.contains("\u{1B}["))
        let colored = try await Command.flywheelOnTerminal("doctor")
        #expect(colored.output.contains("\u{1B}[32m✓\u{1B}[0m memory"))
    }
}

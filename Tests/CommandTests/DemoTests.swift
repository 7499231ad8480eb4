import Foundation
import TestSupport
import Testing

/// Whether apt knows enough packages for the demo's task.
private let hasPackages: Bool = {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "test $(apt-cache dumpavail | grep -c ^Description) -ge 10000"]
    process.standardError = FileHandle.nullDevice
    return (try? process.run()).map { process.waitUntilExit() } != nil
        && process.terminationStatus == 0
}()

@Suite(.enabled(if: hasPackages, "run `apt-get update`: the demo learns from apt's descriptions"))
struct Demo {
    /// Rows of a closing table: what stands between its heading and the next empty line.
    private func rows(under heading: String, of output: String) throws -> [[Substring]] {
        let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0 == heading }, "\(heading)\n\(output)")
        return lines[(start + 1)...].prefix { !$0.isEmpty }.map { $0.split(separator: "\t") }
    }

    @Test func `the wheel turns from users' words to a student that answers them`() async throws {
        try await temporaryFolder { folder in
            let demo = try await Command.flywheel(
                ["demo", "--quick", "--local"], in: ["FLYWHEEL_HOME": folder])
            try #require(demo.status == 0, "\(demo.error)\n\(demo.output)")
            let turns = try rows(under: "Each turn of the wheel", of: demo.output)
            print("the demo's turns:", turns.map { $0.joined(separator: " ") })
            let heard = turns.filter { $0[0] == "package-section" }
            let unheard = turns.filter { $0[0] == "package-section-unheard" }
            try #require(heard.count == 3 && unheard.count == 3)
            // Corrections are learned from, and only where somebody is heard.
            #expect(heard.allSatisfy { Int($0[4]) ?? 0 > 100 })
            #expect(unheard.allSatisfy { $0[4] == "0" })
            // More rows each turn, and better with them: far from chance at the end.
            let accuracies = try heard.map { try #require(Double($0[5])) }
            #expect(accuracies[2] > accuracies[0] && accuracies[2] > 0.65, "\(accuracies)")

            let answers = try rows(under: "Who answered the users", of: demo.output)
            #expect(answers.contains { $0[1] == "package-section-generalist@1" })
            #expect(answers.allSatisfy { Double($0.last ?? "").map { $0 > 0 } ?? false })
            // Who knows is believed more than who clicks.
            let trust = try rows(under: "How far each user is believed", of: demo.output)
            let trusted = try Dictionary(
                uniqueKeysWithValues: trust.map { ($0[0], try #require(Double($0[1]))) })
            #expect(trusted.count == 3)
            #expect(demo.output.contains("FROM cycles WHERE task IN"))
        }
    }
}

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
    @Test func `it ends with a promoted model that names sections well`() async throws {
        try await temporaryFolder { folder in
            let demo = try await Command.flywheel(["demo"], in: ["FLYWHEEL_HOME": folder])
            try #require(demo.status == 0, "\(demo.error)\n\(demo.output)")
            let lines = demo.output.split(separator: "\n").map { $0.split(separator: "\t") }
            func cell(_ name: String) throws -> Substring {
                try #require(lines.first { $0.first == Substring(name) }?.last, "\(name)")
            }
            print("accuracy of the demo: \(try cell("accuracy on golden rows"))")
            #expect(try #require(Double(cell("accuracy on golden rows"))) >= 0.77)
            #expect(try cell("model") == "package-section@1, promoted")
            #expect(try #require(Double(cell("money for training, at 0.05 a slot-hour"))) > 0)
            let bars = demo.output.split(separator: "\n").filter {
                $0.contains("█") || $0.contains("░")
            }
            #expect(bars.count == 5 && bars.allSatisfy { $0.contains(" of ") }, "\(bars)")
            // Its interval is printed, and every number is from a view that anybody may ask again.
            #expect(try cell("95 % interval").contains(" to "))
            #expect(demo.output.contains("FROM verdicts v JOIN scorecards s"))
        }
    }
}

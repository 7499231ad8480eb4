import ArgumentParser
import FlywheelCore

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "What this machine has, what is missing, how to get it.",
        discussion: "Exits with status 69 when something is missing that Flywheel needs.")

    @OptionGroup var output: OutputOptions

    func run() throws {
        let findings = Doctor(environment: try .current()).examine()
        let missing = findings.filter { $0.state == .missing }
        let terminal = Terminal.output
        output.print([
            "ok": .boolean(missing.isEmpty), "version": .string(flywheelVersion),
            "checks": .array(findings.map(\.json)),
        ]) {
            for finding in findings { print(finding.line(for: terminal)) }
            if terminal.isInteractive {
                print()
                print(
                    missing.isEmpty
                        ? "This machine has all that Flywheel needs."
                        : "Missing: \(missing.map(\.name).joined(separator: ", ")).")
            }
        }
        if !missing.isEmpty { throw ExitStatus.unavailable }
    }
}

extension Doctor.Finding {
    fileprivate var json: JSONValue {
        var members: [String: JSONValue] = [
            "name": .string(name), "state": .string(state.rawValue), "detail": .string(detail),
        ]
        members["get"] = remedy.map { .string($0) }
        return .object(members)
    }

    fileprivate func line(for terminal: Terminal) -> String {
        guard terminal.isInteractive else {
            return [name, state.rawValue, detail, remedy ?? ""].joined(separator: "\t")
        }
        let mark =
            switch state {
            case .found: terminal.styled("✓", .green)
            case .absent: terminal.styled("–", .yellow)
            case .missing: terminal.styled("✗", .red)
            }
        let label = name + String(repeating: " ", count: max(0, 16 - name.count))
        return "\(mark) \(label) \(detail)"
            + (remedy.map { "\n\(String(repeating: " ", count: 19))\($0)" } ?? "")
    }
}

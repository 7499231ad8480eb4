import ArgumentParser
import FlywheelCore
import Stores

struct NodesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes", abstract: "See and steer the machines that have a worker.",
        subcommands: [List.self, Drain.self, Resume.self])

    struct List: DatabaseCommand {
        static let configuration = CommandConfiguration(abstract: "List nodes.")
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let rows = try await database.views.nodes()
            output.print(.array(rows)) {
                var table = Table(
                    .text("NAME"), .text("STATE"), .number("SLOTS"), .number("FREE"),
                    .number("CORES"), .number("GPUS"), .number("MEMORY"), .number("SEEN"),
                    .text("NOTE"))
                for row in rows {
                    table.add(
                        row.cell("name"), row.cell("state"), row.cell("slots"),
                        row.cell("free_slots"), row.cell("cpus"), row.cell("gpus"),
                        row["memory"]?.integer.map { Formatting.bytes($0) } ?? "",
                        row.span(from: "last_seen"), row.cell("reason"))
                }
                table.show()
            }
        }
    }

    struct Drain: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give nodes nothing new; what runs there goes on.")
        @Argument var nodes: [String]
        @Option(help: "Why; others see it in `nodes list`.")
        var reason: String?

        func run(on database: Database) async throws {
            for node in nodes {
                try await database.views.setNode(
                    node, isDraining: true, reason: reason ?? "drained by a person")
            }
        }
    }

    struct Resume: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Use drained or quarantined nodes again.")
        @Argument var nodes: [String]

        func run(on database: Database) async throws {
            for node in nodes {
                try await database.views.setNode(node, isDraining: false, reason: nil)
            }
            try? await database.nudge()
        }
    }
}

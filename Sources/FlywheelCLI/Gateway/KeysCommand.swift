import ArgumentParser
import FlywheelCore
import Foundation
import Stores
import Workers

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Who may call the gateway.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key and print it, this once; only its digest is kept.")

        @Option(help: "What to call it.") var name: String
        @Option(
            parsing: .singleValue,
            help: """
                What it may do: chat, feedback, and feedback:reviewer or feedback:expert to speak as \
                one; repeat for several.
                """)
        var scope: [String] = []
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            guard !name.allSatisfy(\.isWhitespace) else {
                throw InputError(
                    field: "--name", "it is empty",
                    remedy: "Nothing was created. Name the key after who uses it.")
            }
            let known = ["chat", "feedback", "feedback:reviewer", "feedback:expert"]
            for name in scope where !known.contains(name) {
                throw InputError(
                    field: "--scope", "`\(name)` is none of \(known.joined(separator: ", "))",
                    remedy: nearest(to: name, among: known).map { "Did you mean `\($0)`?" }
                        ?? "Nothing was created.")
            }
            let scopes = scope.isEmpty ? ["chat", "feedback"] : scope
            let secret = GatewaySecret()
            try await database.book.addKey(
                named: name, hash: secret.hash, hint: secret.hint, scopes: scopes)
            output.print(["name": .string(name), "key": .string(secret.text)]) {
                Swift.print(secret.text)
                if Terminal.output.isInteractive {
                    Terminal.note("Keep it: it is not shown again.")
                }
            }
        }
    }

    struct List: DatabaseCommand {
        static let configuration = CommandConfiguration(abstract: "List keys.")
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let rows = try await database.book.keys()
            output.print(.array(rows)) {
                var table = Table(
                    .text("NAME"), .text("KEY"), .text("SCOPES"), .number("AGE"), .text("BY"),
                    .text("STATE"))
                for row in rows {
                    table.add(
                        row.cell("name"), row.cell("hint") + "…",
                        (row["scopes"]?.array ?? []).compactMap(\.string).joined(separator: ", "),
                        row.span(from: "created_at"), row.cell("created_by"),
                        row["revoked_at"] == .null ? "in use" : "revoked")
                }
                table.show()
            }
        }
    }

    struct Revoke: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a key; gateways refuse it within seconds.")
        @Argument var names: [String]

        func run(on database: Database) async throws {
            for name in names { try await database.book.revokeKey(named: name) }
        }
    }
}

extension Database {
    var book: GatewayBook { GatewayBook(pool) }
}

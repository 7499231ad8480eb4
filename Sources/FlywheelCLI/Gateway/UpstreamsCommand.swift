import ArgumentParser
import Captures
import FlywheelCore
import Foundation
import Gateway
import Stores

struct UpstreamsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upstreams", abstract: "What stands behind the gateway, and what it costs.",
        subcommands: [Apply.self, List.self, Check.self])

    struct Apply: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take up the upstreams and prices of a YAML file.",
            discussion: """
                What the file does not name stays as it is; a name whose value is null is taken out, \
                unless a task is answered by it. No model may be listed twice, or be called as a task. \
                Every version is kept, with its author and time.
                """)
        @Argument(help: AppliedFile.help, completion: .file(extensions: ["yaml"])) var file: String
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let (changed, gone) = try await AppliedFile(file).apply { text, file in
                let book = try UpstreamBook(yaml: text, file: file)
                let changed = try await database.book.apply(book, author: NSUserName())
                return (changed, changed.filter { book.upstreams[$0] == .some(nil) })
            }
            output.print(["changed": .array(changed.map { .string($0) })]) {
                let kept = changed.filter { !gone.contains($0) }
                if changed.isEmpty { Swift.print("Nothing changed.") }
                if !kept.isEmpty { Swift.print("Changed: \(kept.joined(separator: ", ")).") }
                if !gone.isEmpty { Swift.print("Taken out: \(gone.joined(separator: ", ")).") }
            }
        }
    }

    struct List: DatabaseCommand {
        static let configuration = CommandConfiguration(abstract: "List upstreams and prices.")
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let upstreams = try await database.book.upstreams()
            let prices = try await database.book.prices()
            output.print(["upstreams": .array(upstreams), "prices": .array(prices)]) {
                var table = Table(
                    .text("UPSTREAM"), .text("URL"), .text("KEY"), .text("MODELS"),
                    .number("VERSION"), .text("BY"))
                for row in upstreams {
                    let models = (row["models"]?.array ?? []).compactMap(\.string)
                    table.add(
                        row.cell("name"), row.cell("url"), row.cell("key_variable"),
                        models.isEmpty ? "any" : models.joined(separator: ", "),
                        row.cell("version"), row.cell("author"))
                }
                table.show()
                guard !prices.isEmpty else { return }
                var book = Table(
                    .text("MODEL"), .text("FROM"), .number("INPUT"), .number("CACHED"),
                    .number("OUTPUT"), .text("BY"))
                for row in prices {
                    book.add(
                        row.cell("model"), row.cell("from_day"), row.cell("input"),
                        row.cell("cached_input"), row.cell("output"), row.cell("author"))
                }
                if Terminal.output.isInteractive { Swift.print() }
                book.show()
            }
        }
    }

    struct Check: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask upstreams whether they answer, from this machine and with its variables."
        )
        @Argument(help: "Which; all, unless said otherwise.") var names: [String] = []
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let known =
                try await PostgresCaptureStore(database.pool).state(unlike: nil)?.upstreams ?? []
            for name in names where !known.contains(where: { $0.name == name }) {
                throw InputError(
                    "there is no upstream `\(name)`",
                    remedy: nearest(to: name, among: known.map(\.name)).map {
                        "Did you mean `\($0)`?"
                    }
                        ?? "`flywheel upstreams list` shows them.")
            }
            let chosen = known.filter { names.isEmpty || names.contains($0.name) }
            guard !chosen.isEmpty else {
                throw InputError(
                    "there are no upstreams", remedy: "`flywheel upstreams apply FILE` adds some.")
            }
            let secrets = ProcessInfo.processInfo.environment
            var findings: [UpstreamFinding] = []
            for upstream in chosen {
                findings.append(await UpstreamFinding.check(upstream, secrets: secrets))
            }
            let rows = findings.map(\.json)
            output.print(.array(rows)) {
                for finding in findings { Swift.print(finding.sentence) }
            }
            if findings.contains(where: { !$0.isFine }) { throw ExitStatus.unavailable }
        }
    }
}

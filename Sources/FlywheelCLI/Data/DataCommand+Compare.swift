public import ArgumentParser
public import Datasets
import FlywheelCore

extension DataCommand {
    struct Compare: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find what one dataset has in common with another.",
            discussion: """
                Copies are exact, but for case and blanks, or near: the share of five-byte pieces that \
                both texts have of those that either has is at least --near. Pieces that most rows \
                have, as the wording of a prompt, do not count.
                """)

        @Argument(help: DatasetOnDisk.helpWithFiles) var first: String
        @Argument(help: "As the first.") var second: String
        @Option(help: "How much near copies resemble each other: over 0, at most 1.")
        var near = NearCopies.thresholdDefault
        @Option(help: "What of rows is compared.")
        var part = DatasetComparison.Part.question
        @Option(help: "Pairs to show.")
        var examples = 10
        @Flag(help: "Exit with status 1 if there are copies.")
        var fail = false
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard near > 0, near <= 1 else { throw ValidationError("--near: over 0, at most 1.") }
            guard examples >= 0 else { throw ValidationError("--examples: 0 or more.") }
        }

        func run() async throws {
            let (first, second) = (
                try await DatasetOnDisk.read(first), try await DatasetOnDisk.read(second)
            )
            let comparison = DatasetComparison(
                first.rows, second.rows, part: part, threshold: near)
            let json = try JSONValue(encoding: comparison).merging([
                "first_name": .string(first.title), "second_name": .string(second.title),
            ])
            output.print(json) {
                var table = Table(
                    .text("DATASET"), .number("ROWS"), .number("EXACT COPIES"),
                    .number("NEAR COPIES"))
                for (name, side) in [
                    (first.title, comparison.first), (second.title, comparison.second),
                ] {
                    table.add(
                        name, Formatting.count(side.rows), Formatting.count(side.exact),
                        Formatting.count(side.near))
                }
                table.show()
                for pair in comparison.pairs.prefix(examples) { show(pair) }
            }
            if fail, !comparison.isDisjoint { throw ExitStatus.failed }
        }

        /// On a terminal one below the other, so that the eye finds the difference.
        private func show(_ pair: DatasetComparison.Pair) {
            let kind = pair.isExact ? "exact" : Formatting.fixed(pair.resemblance, 3)
            let sides = [
                (pair.firstID, pair.firstText, pair.firstAnswer),
                (pair.secondID, pair.secondText, pair.secondAnswer),
            ].map { id, text, answer in
                (id, Self.oneLine(text), answer.map { Self.oneLine($0) } ?? "")
            }
            guard Terminal.output.isInteractive else {
                print(([kind] + sides.flatMap { [$0.0, $0.1, $0.2] }).joined(separator: "\t"))
                return
            }
            print("\n" + Terminal.output.styled(kind, .bold))
            for (id, text, answer) in sides {
                let line = "  row \(id): \(text)" + (answer.isEmpty ? "" : " → \(answer)")
                print(String(line.prefix(max(Terminal.output.width * 2 - 1, 40))))
            }
        }

        private static func oneLine(_ text: String) -> String {
            String(text.map { $0 == "\t" || $0.isNewline ? " " : $0 })
        }
    }
}

extension DatasetComparison.Part: ExpressibleByArgument {}

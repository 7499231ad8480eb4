import ArgumentParser
import FlywheelCore

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure this machine: medians, with what they depend on.",
        subcommands: [
            BenchTrain.self, BenchTokenize.self, BenchQueue.self, BenchGateway.self,
        ])
}

/// A named number of a measurement.
struct Measurement {
    var name: String
    var value: Double
    var unit: String

    static func show(
        _ measurements: [Measurement], of what: [String: JSONValue], on output: OutputOptions
    ) {
        var members = what
        for item in measurements { members[item.name] = .number(item.value) }
        output.print(.object(members)) {
            var table = Table(.text("MEASURED"), .number("VALUE"), .text("UNIT"))
            for item in measurements {
                table.add(
                    item.name.replacing("_", with: " "),
                    item.value >= 1_000
                        ? Formatting.count(Int(item.value.rounded()))
                        : Formatting.fixed(item.value, 3), item.unit)
            }
            table.show()
        }
    }
}

extension [Double] {
    /// The value at `share` of the sorted values, by nearest rank; 0 where there are none.
    func quantile(_ share: Double) -> Double {
        guard !isEmpty else { return 0 }
        let rank = Int((share * Double(count)).rounded(.up))
        return sorted()[Swift.max(rank, 1) - 1]
    }
}

extension Duration {
    var inSeconds: Double { self / .seconds(1) }
}

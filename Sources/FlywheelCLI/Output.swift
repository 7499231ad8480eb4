import ArgumentParser
import FlywheelCore
import Foundation

/// `--json`, on every command that prints data.
struct OutputOptions: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print JSON.")
    var isJSON = false

    /// Prints `value` as JSON, or else what `show` prints.
    func print(_ value: @autoclosure () throws -> JSONValue, or show: () throws -> Void) rethrows {
        if isJSON { Swift.print(try value().canonical) } else { try show() }
    }
}

extension Environment {
    /// Of this process.
    static func current() throws(InputError) -> Environment {
        try Environment(ProcessInfo.processInfo.environment, isRoot: geteuid() == 0)
    }
}

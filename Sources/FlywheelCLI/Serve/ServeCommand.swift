import ArgumentParser
import FlywheelCore
import Foundation
import Serving

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Answer over HTTP as a model, in the shapes of OpenAI's API.",
        discussion: """
            Chat completions and completions, streamed or not, at /v1; /healthz, /readyz and /metrics \
            beside them. The line with the address is printed once calls are answered. SIGTERM and \
            SIGINT let those in flight finish within --farewell, then end with status 0.
            """)

    @Argument(help: "A model of the registry, or a folder, which needs no database.")
    var model: String
    @Option(help: ArgumentHelp("Where to listen; port 0 is any.", valueName: "host:port"))
    var address = "127.0.0.1:8081"
    @Option(help: "How many cores compute.")
    var slots = 1
    @Option(help: "What requests call the model; its name, unless said otherwise.")
    var name: String?
    @Option(help: "Answers that a slot generates at a time.")
    var sequences = 32
    @Option(help: "Requests that may wait; others are refused with 429.")
    var queue = 256
    @Option(help: "Tokens of prompt and answer together, at most.")
    var context = 8192
    @Option(help: "Seconds that answers in flight are given at the end.")
    var farewell = 30.0
    @OptionGroup var arithmetic: PrecisionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        _ = try place()
        for (flag, value) in [
            ("slots", slots), ("sequences", sequences), ("queue", queue), ("context", context),
        ] where value < 1 {
            throw ValidationError("--\(flag): 1 or more.")
        }
        guard farewell >= 0, farewell.isFinite else {
            throw ValidationError("--farewell: 0 or more.")
        }
    }

    func run() async throws {
        let environment = try Environment.current()
        let precision = try arithmetic.resolved
        let served = try await ModelOnDisk.lend(model) { folder in
            try ServedModel(folder: folder, names: names, precision: precision)
        }
        var configuration = ServeConfiguration()
        (configuration.host, configuration.port) = try place()
        configuration.slots = slots
        configuration.sequencesMax = sequences
        configuration.waitingMax = queue
        configuration.tokensMax = context
        configuration.farewell = .seconds(farewell)
        let host = configuration.host
        let server = Server(
            served, configuration, logger: environment.logger("flywheel.serve"))
        try await server.run { port in
            let url = "http://\(host.contains(":") ? "[\(host)]" : host):\(port)/v1"
            output.print([
                "model": .string(served.name), "url": .string(url),
                "fingerprint": .string(served.fingerprint),
            ]) { print("\(served.name) answers at \(url)") }
            fflush(nil)
        }
    }

    /// What requests may call the model: as it was given, and without version or path.
    private var names: [String] {
        if let name { return [name] }
        let isFolder = FileManager.default.fileExists(atPath: "\(model)/config.json")
        if isFolder { return [URL(fileURLWithPath: model).lastPathComponent] }
        let bare = model.split(separator: "@").first.map(String.init) ?? model
        return bare == model ? [model] : [model, bare]
    }

    /// HOST:PORT; a host of IPv6 stands in brackets.
    private func place() throws -> (host: String, port: Int) {
        guard let colon = address.lastIndex(of: ":"),
            let port = Int(address[address.index(after: colon)...]), (0...65535).contains(port),
            colon != address.startIndex
        else { throw ValidationError("--address \(address): write HOST:PORT.") }
        let host = address[..<colon].trimmingPrefix("[")
        return (String(host.hasSuffix("]") ? host.dropLast() : host), port)
    }
}

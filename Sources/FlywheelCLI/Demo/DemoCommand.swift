import ArgumentParser
import FlywheelCore
import Foundation
import Jobs
import Labelling
import Processes
import Stores

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "The wheel turned on this machine's own data.",
        discussion: """
            The task: from a package's name and one-line description, name its archive section. Rows \
            come from `apt-cache dumpavail`; nothing is downloaded. A generalist is trained to answer \
            it, users ask thousands of questions through the gateway and correct some of the answers, \
            and the wheel turns three times: rows are built of calls and corrections, the generalist \
            labels them, a small student is trained by two MPI ranks, examined, and answers from then \
            on if it is proven. Then all of it again with nobody heard, to see what the corrections \
            were worth. Everything stays in FLYWHEEL_HOME for `flywheel sql`.

            With OPENAI_API_KEY or OPENAI_BASE_URL in the environment, the model --rent of that \
            upstream is the generalist, and at most --money is spent on it.
            """)

    @Flag(help: "Fewer calls and a generalist that knows less: minutes fewer, and worse.")
    var quick = false

    @Option(help: "What an hour of one slot costs, in your money.")
    var slotHour = 0.05

    @Flag(help: "Train the generalist here, whatever the environment says.")
    var local = false

    @Option(help: "The rented generalist.")
    var rent = "gpt-4.1-mini"

    @Option(help: "What it costs per million tokens of input and of output.")
    var rentPrices = "0.40,1.60"

    @Option(help: "What may be spent on it in all.")
    var money = 2.0

    func validate() throws {
        guard slotHour >= 0 else { throw ValidationError("--slot-hour: 0 or more.") }
        guard money > 0 else { throw ValidationError("--money: more than 0.") }
        guard prices != nil else {
            throw ValidationError("--rent-prices: two numbers, as in 0.40,1.60.")
        }
    }

    private var prices: (input: Double, output: Double)? {
        let numbers = rentPrices.split(separator: ",").map { Double($0) ?? -1 }
        return numbers.count == 2 && numbers.allSatisfy { $0 >= 0 }
            ? (numbers[0], numbers[1]) : nil
    }

    func run() async throws {
        let environment = try Environment.current()
        try FileManager.default.createDirectory(
            atPath: environment.home, withIntermediateDirectories: true)
        let isServed = await Database.isServed(environment)
        let variables = ProcessInfo.processInfo.environment
        let gateway = try isServed ? variables["FLYWHEEL_GATEWAY"] : Self.gateway(variables)
        let demo = demo(variables, at: gateway)
        try await Service.untilSignalled(isWork: true) {
            // A household that is up already does the work; otherwise the demo brings its own.
            if isServed {
                print("Using the Flywheel that is up in \(environment.home).")
                try await demo.run()
            } else {
                var household = Household(environment, workers: 1, slots: 2)
                household.gateway = gateway
                try await household.run { try await demo.run() }
            }
        }
    }

    private func demo(_ variables: [String: String], at gateway: String?) -> Demo {
        let (input, output) = prices ?? (0, 0)
        let named = DemoGeneralist.named(
            in: variables, model: rent, input: input, output: output, money: money)
        return Demo(
            scale: quick ? .quick : .whole, generalist: local ? .ours : named,
            slotHour: slotHour, gateway: GatewayClient.Configuration.address(gateway))
    }

    /// Where the demo's own gateway is to listen: where the environment says, or on a port that nobody
    /// has, since another gateway may be at the usual one.
    private static func gateway(_ variables: [String: String]) throws -> String {
        if let named = variables["FLYWHEEL_GATEWAY"], !named.isEmpty { return named }
        return "127.0.0.1:\(try LoopbackPort.free())"
    }
}

extension Database {
    /// Whether a worker of this home is at work.
    static func isServed(_ environment: Environment) async -> Bool {
        guard environment.databaseURL == nil else { return false }
        let nodes = try? await Database.with { try await $0.views.nodes() }
        return nodes?.contains { node in
            node["state"]?.string == "up"
                && (node.date("last_seen").map { Date().timeIntervalSince($0) < 20 } ?? false)
        } ?? false
    }
}

import ArgumentParser
import Captures
import FlywheelCore
import Foundation
import Gateway
import Logging
import Postgres
import Stores

struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract:
            "The door that applications use: relay their calls to models, and keep what was said.",
        discussion: """
            Speaks OpenAI's chat completions on FLYWHEEL_GATEWAY (127.0.0.1:8080). Where the book of \
            `flywheel upstreams` names no upstream for a model, OPENAI_BASE_URL is asked, with \
            OPENAI_API_KEY, or with the caller's own key where that is not set. Elsewhere than on \
            loopback every call needs a key of `flywheel keys`.
            """)

    @Option(
        help: .init(
            "Where to listen; FLYWHEEL_GATEWAY, unless said otherwise.", valueName: "address:port"))
    var listen: String?

    @Option(
        help: .init(
            "Speak HTTPS, known by this certificate (PEM, with those that lead to its issuer).",
            valueName: "file"))
    var certificate: String?

    @Option(help: .init("The private key of --certificate (PEM).", valueName: "file"))
    var key: String?

    @Flag(help: "Demand a key on loopback too.")
    var requireKeys = false

    @Option(
        help: .init(
            "What to take out of all that is kept: email, phone, card, iban, separated by commas, or all.",
            valueName: "kinds"))
    var redact: String?

    @Flag(help: "Wait for the disk before a reply ends, so that captures outlast a power cut.")
    var sync = false

    @Option(help: .init("How much may wait for the database.", valueName: "MiB"))
    var spool = 1_024

    func validate() throws {
        guard spool > 0 else { throw ValidationError("--spool: at least 1.") }
        guard (certificate == nil) == (key == nil) else {
            throw ValidationError("--certificate and --key: give both, or neither.")
        }
    }

    func run() async throws {
        let environment = try Environment.current()
        let gateway = Gateway(
            configuration: try gatewayConfiguration(environment),
            store: PostgresCaptureStore(environment.gatewayPool()),
            logger: environment.logger("flywheel.gateway"))
        try await gateway.run { port in Terminal.note("\(GatewayNews.listens)\(port).") }
    }

    private func gatewayConfiguration(_ environment: Environment) throws -> GatewayConfiguration {
        let variables = ProcessInfo.processInfo.environment
        var configuration = GatewayConfiguration(spoolRoot: environment.home + "/spool")
        let address = try ListenAddress(
            parsing: listen ?? variables["FLYWHEEL_GATEWAY"] ?? "127.0.0.1:8080",
            from: listen == nil ? "FLYWHEEL_GATEWAY" : "--listen")
        (configuration.host, configuration.port) = (address.host, address.port)
        if let certificate, let key {
            configuration.certificate = try ServerCertificate(certificate: certificate, key: key)
        }
        configuration.requiresKeys = requireKeys
        configuration.redacted = try kinds()
        configuration.isSynced = sync
        configuration.spoolLimits.bytesMax = spool << 20
        configuration.secrets = variables
        configuration.fallback = try Self.fallback(variables, address)
        return configuration
    }

    private func kinds() throws(InputError) -> Set<PersonalDatum> {
        guard let redact else { return [] }
        if redact == "all" { return Set(PersonalDatum.allCases) }
        var kinds: Set<PersonalDatum> = []
        let known = PersonalDatum.allCases.map(\.rawValue)
        for name in redact.split(separator: ",").map(String.init) {
            guard let kind = PersonalDatum(rawValue: name) else {
                throw InputError(
                    field: "--redact", "`\(name)` is none of \(known.joined(separator: ", "))",
                    remedy: nearest(to: name, among: known).map { "Did you mean `\($0)`?" } ?? "")
            }
            kinds.insert(kind)
        }
        return kinds
    }

    /// The upstream of those who have applied no book: what OpenAI's own clients would ask.
    private static func fallback(
        _ variables: [String: String], _ own: ListenAddress
    ) throws(InputError) -> Upstream? {
        let base = variables["OPENAI_BASE_URL"].flatMap { $0.isEmpty ? nil : $0 }
        let hasKey = !(variables["OPENAI_API_KEY"] ?? "").isEmpty
        guard base != nil || hasKey else { return nil }
        var url = base ?? "https://api.openai.com/v1"
        while url.hasSuffix("/") { url.removeLast() }
        guard let parts = URL(string: url), ["http", "https"].contains(parts.scheme),
            let host = parts.host()
        else {
            throw InputError(
                field: "OPENAI_BASE_URL", "`\(url)` is not the address of a server",
                remedy: "For example: https://api.openai.com/v1")
        }
        guard parts.port != own.port || !["localhost", own.host].contains(host) else {
            throw InputError(
                field: "OPENAI_BASE_URL", "it names the gateway itself",
                remedy: "Applications need that; the gateway needs its upstream's address, or none."
            )
        }
        return Upstream(
            name: "openai", url: url, key: hasKey ? "OPENAI_API_KEY" : Upstream.callersKey)
    }
}

/// Where a server listens: `127.0.0.1:8080`, `[::1]:8080`.
struct ListenAddress: Equatable {
    var host: String
    var port: Int

    init(parsing text: String, from field: String) throws(InputError) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 2, let port = parts.last.flatMap({ Int($0) }), 0...65_535 ~= port,
            let host = Optional(parts.dropLast().joined(separator: ":")), !host.isEmpty,
            parts.count == 2 || host.hasPrefix("[") && host.hasSuffix("]")
        else {
            throw InputError(
                field: field, "`\(text)` is not an address and a port",
                remedy: "For example: 127.0.0.1:8080")
        }
        self.host = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        self.port = port
    }
}

extension Environment {
    /// For the gateway: it must hear soon that the database is away, since it goes on without.
    func gatewayPool() -> Pool {
        var configuration = Pool.Configuration(
            PostgresConfiguration(connectionString), size: 7, patience: .seconds(1))
        configuration.postgres.applicationName = "flywheel gateway"
        configuration.postgres.connectTimeout = .seconds(3)
        return Pool(configuration, logger: logger("postgres"))
    }
}

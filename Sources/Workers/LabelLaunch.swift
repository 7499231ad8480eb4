public import FlywheelCore
import Foundation

/// The command line and environment of a process of `flywheel` that works for a job.
///
/// Of the gateway it gets the address and, where it asks models, a key; of this worker, its database least
/// of all, nothing.
package struct LabelLaunch: Sendable {
    package var program: [String]
    package var plan: String
    package var temporary: String
    /// `AttemptMark.variable`'s value.
    package var mark: String
    package var gateway: String?
    /// Nil for a process that asks nobody.
    package var key: String?
    /// Added to the environment as configured.
    package var extra: [String: String] = [:]

    package var arguments: [String] { program + [plan] }

    /// The variable that holds the key.
    package static let keyVariable = "FLYWHEEL_GATEWAY_KEY"

    /// The whole environment; `ours` is this process's own, of which a few names are taken over.
    package func environment(from ours: [String: String]) -> [String: String] {
        var environment = ScrubbedEnvironment.of(ours, temporary: temporary)
        environment["FLYWHEEL_GATEWAY"] = gateway
        environment[Self.keyVariable] = key
        environment.merge(extra) { _, configured in configured }
        environment[AttemptMark.variable] = mark
        return environment
    }
}

/// A key of the gateway's: `fw-` and 256 bits of chance, in the letters of base64url.
public struct GatewaySecret: Sendable {
    public let text: String
    public var hash: Digest { Digest(of: text) }
    /// By which a person tells keys apart.
    public var hint: String { String(text.prefix(7)) }

    public init() {
        var numbers = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: 0 ... .max, using: &numbers) }
        text =
            "fw-"
            + Data(bytes).base64EncodedString().replacing("+", with: "-")
            .replacing("/", with: "_").replacing("=", with: "")
    }
}

public import Captures
import FlywheelCore

/// What a gateway is told when it starts; read once, by the executable.
public struct GatewayConfiguration: Sendable {
    /// Where it listens.
    public var host = "127.0.0.1"
    /// 0: any that is free.
    public var port = 8080
    /// By which callers know it; nil: it speaks plain HTTP.
    public var certificate: ServerCertificate?
    /// Whether a call without a key is refused; elsewhere than on loopback it always is.
    public var requiresKeys = false
    /// What is taken out of every capture.
    public var redacted: Set<PersonalDatum> = []
    /// The folder of spools, one below it for each process.
    public var spoolRoot: String
    public var spoolLimits = Spool.Limits()
    /// Whether a capture must be on the disk, not only in the kernel's hands, before the reply ends.
    public var isSynced = false
    /// The environment: where upstreams' secrets are found under the names that the book gives.
    public var secrets: [String: String] = [:]
    /// Asked where the book has no upstream for a model.
    public var fallback: Upstream?
    public var limits = Limits()

    public struct Limits: Sendable {
        public var requestBytes = 32 << 20
        public var responseBytes = 128 << 20
        /// Of a header of ours, and of a value of `metadata`.
        public var nameBytes = 512
        public var tags = 64
        public var connect = Duration.seconds(10)
        /// How long an upstream may say nothing, before its first byte or between two.
        public var silence = Duration.seconds(600)
        public var retries = 2
        /// How long a call waits for the server of a model of ours, where nobody else may answer it.
        public var serverPatience = Duration.seconds(120)
        public var retryPause = Duration.milliseconds(500)
        /// A pause that an upstream asks for and that is longer is passed on to the caller.
        public var retryPauseMax = Duration.seconds(20)
        /// How long calls in flight may go on when the gateway is told to end.
        public var farewell = Duration.seconds(30)
        /// How long a token for feedback counts, unless the caller says otherwise.
        public var tokenLife = Duration.seconds(86_400)
        public var tokenLifeMax = Duration.seconds(30 * 86_400)
        /// How often the database is asked for what it says of changes by itself: where such news was lost.
        public var recheck = Duration.seconds(1)
        public init() {}
    }

    public init(spoolRoot: String) { self.spoolRoot = spoolRoot }

    /// Whether only processes of this machine can connect.
    public var isLoopback: Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    public var mustHaveKeys: Bool { requiresKeys || !isLoopback }
}

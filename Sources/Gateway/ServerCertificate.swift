public import FlywheelCore
import HummingbirdCore
import HummingbirdTLS

/// What a server shows its callers to be known by, and with which it encrypts: TLS 1.2 or newer.
///
/// Read once: a renewed certificate counts from the next start on.
public struct ServerCertificate: Sendable {
    let configuration: TLSConfiguration

    /// Reads two PEM files: the certificate, followed by those that lead to its issuer, and its key.
    ///
    /// Throws `InputError` where one of them cannot be read, or is no such thing.
    public init(certificate: String, key: String) throws(InputError) {
        let chain = try Self.read("--certificate", certificate, "certificate") {
            try NIOSSLCertificate.fromPEMFile(certificate)
        }
        guard !chain.isEmpty else {
            throw Self.unusable("--certificate", certificate, "it holds no certificate")
        }
        let secret = try Self.read("--key", key, "private key") {
            try NIOSSLPrivateKey(file: key, format: .pem)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(secret))
        configuration.minimumTLSVersion = .tlsv12
        self.configuration = configuration
        // Made as it will be for callers: only then does anybody compare the two.
        do {
            let plain = HTTP1Channel(responder: { _, _, _ in })
            _ = try TLSChannel(plain, tlsConfiguration: configuration)
        } catch {
            throw Self.unusable("--key", key, "it is not the key of \(certificate) (\(error))")
        }
    }

    private static func read<Part>(
        _ option: String, _ file: String, _ what: String, _ body: () throws -> Part
    ) throws(InputError) -> Part {
        do { return try body() } catch {
            throw unusable(option, file, "it cannot be read as a \(what) in PEM (\(error))")
        }
    }

    private static func unusable(_ option: String, _ file: String, _ problem: String) -> InputError
    {
        InputError(
            file: file, field: option, problem,
            remedy: "The gateway did not start. Check the file, and that this user may read it.")
    }
}

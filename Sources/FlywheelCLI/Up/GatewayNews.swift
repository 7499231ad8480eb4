import FlywheelCore
import Foundation

/// What the gateway of a household says of itself in its log, from now on.
struct GatewayNews: Sendable {
    static let listens = "The gateway listens on port "

    private let log: String
    private let start: UInt64

    init(log: String) {
        self.log = log
        let size = try? FileManager.default.attributesOfItem(atPath: log)[.size] as? UInt64
        start = size ?? 0
    }

    /// Returns when the gateway listens; throws its own sentence where it cannot.
    func listening(within patience: Duration = .seconds(60)) async throws {
        let deadline = ContinuousClock.now + patience
        while true {
            let lines = said().split(separator: "\n")
            if lines.contains(where: { $0.hasPrefix(Self.listens) }) { return }
            if let error = lines.first(where: { $0.hasPrefix("error: ") }) {
                throw ServiceUnavailable(
                    String(error.dropFirst("error: ".count)), remedy: "Flywheel is not up.")
            }
            guard .now < deadline else {
                throw ServiceUnavailable(
                    "The gateway does not listen after \(patience).",
                    remedy: "Flywheel is not up; see \(log).")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func said() -> String {
        guard let file = FileHandle(forReadingAtPath: log) else { return "" }
        defer { try? file.close() }
        try? file.seek(toOffset: start)
        let bytes = (try? file.readToEnd()) ?? nil
        return String(decoding: bytes ?? Data(), as: UTF8.self)
    }
}

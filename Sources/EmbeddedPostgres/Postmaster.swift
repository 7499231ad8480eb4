import Foundation
package import Glibc

/// What `postmaster.pid` says of the server on a data folder.
package struct Postmaster: Equatable, Sendable {
    package let process: pid_t
    package let isReady: Bool

    /// Reads the file; nil where there is none, or half of one.
    package init?(data: String) {
        guard let text = try? String(contentsOfFile: data + "/postmaster.pid", encoding: .utf8)
        else { return nil }
        self.init(text: text)
    }

    package init?(text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let process = lines.first.flatMap({ pid_t($0) }), process > 0 else { return nil }
        self.process = process
        isReady = lines.count > 7 && lines[7].trimmingCharacters(in: .whitespaces) == "ready"
    }

    /// Whether `process` is a server on `data`, and not one that inherited its number.
    package static func isServer(_ process: pid_t, of data: String) -> Bool {
        guard let bytes = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") else {
            return false
        }
        let arguments = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return arguments.first?.hasSuffix("postgres") == true && arguments.contains(data)
    }

    /// Stops a server whose owner died; its clients are told, its data is written.
    static func stopOrphan(
        of data: String, patience: Duration
    ) async throws(EmbeddedPostgresError) {
        guard let orphan = Postmaster(data: data) else { return }
        let file = data + "/postmaster.pid"
        guard isServer(orphan.process, of: data) else {
            // Its number may meanwhile belong to somebody else, which would keep a server from
            // starting; shared memory still guards against a second one.
            unsafe unlink(file)
            return
        }
        for order in [SIGINT, SIGQUIT] {
            kill(orphan.process, order)
            kill(orphan.process, SIGCONT)
            let deadline = ContinuousClock.now + patience
            while isServer(orphan.process, of: data), .now < deadline {
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
        guard !isServer(orphan.process, of: data) else {
            throw .failed(
                step: "stop", said: "process \(orphan.process) ignores the order", log: file)
        }
    }
}

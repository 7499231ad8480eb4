import Foundation
import Processes

/// Several hosts on one machine: network namespaces, each with a name of its own, joined by a bridge in one
/// more.
///
/// What they do is seen by nobody outside.
final class HostNetwork: Sendable {
    static let hub = "hub"
    static let subnet = "10.77.0.0/24"

    /// In order; the first is the hub.
    let hosts: [String]
    private let prefix: String
    private let folder: String

    /// Why there can be none here; nil: there can.
    static let obstacle: String? = {
        if geteuid() != 0 { return "only root may make network namespaces" }
        for tool in ["/usr/sbin/ip", "/usr/bin/unshare", "/usr/bin/python3"]
        where !FileManager.default.isExecutableFile(atPath: tool) {
            return "\(tool) is missing; scripts/install --tests installs it"
        }
        let probe = "fw\(getpid())p"
        do {
            try Tool.ip("netns", "add", probe)
            defer { try? Tool.ip("netns", "del", probe) }
            try Tool.ip("-n", probe, "link", "add", "br", "type", "bridge")
            try Tool.ip("-n", probe, "link", "add", "a", "type", "veth", "peer", "name", "b")
        } catch {
            return "this kernel makes no hosts: \(error)"
        }
        return nil
    }()

    /// - Parameter folder: what hosts see of this machine's files is below it, each its own part.
    init(_ names: [String], folder: String) throws {
        hosts = [Self.hub] + names
        prefix = "fw\(getpid() % 100_000)x\(UInt16.random(in: 0..<4096))"
        self.folder = folder
        try Tool.ip("netns", "add", bridge)
        try Tool.ip("-n", bridge, "link", "add", "br", "type", "bridge")
        try Tool.ip("-n", bridge, "link", "set", "br", "up")
        for (index, host) in hosts.enumerated() { try add(host, number: index) }
        try FileManager.default.createDirectory(
            atPath: folder + "/home", withIntermediateDirectories: true)
    }

    private func add(_ host: String, number: Int) throws {
        let name = namespace(of: host)
        try Tool.ip("netns", "add", name)
        try Tool.ip(
            "link", "add", cable(of: host), "netns", bridge, "type", "veth", "peer", "name", "eth0",
            "netns", name)
        try Tool.ip("-n", bridge, "link", "set", cable(of: host), "master", "br", "up")
        try Tool.ip("-n", name, "addr", "add", "\(address(of: host))/24", "dev", "eth0")
        try Tool.ip("-n", name, "link", "set", "eth0", "up")
        try Tool.ip("-n", name, "link", "set", "lo", "up")
        for part in [home(of: host), folder + "/home"] {
            try FileManager.default.createDirectory(
                atPath: part, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o755])
        }
    }

    private var bridge: String { prefix + "s" }
    func namespace(of host: String) -> String { prefix + host }
    private func cable(of host: String) -> String { "to-\(host)" }

    func address(of host: String) -> String {
        "10.77.0.\((hosts.firstIndex(of: host) ?? 99) + 1)"
    }

    /// What only `host` sees, where each sees its own as `<folder>/home`.
    func home(of host: String) -> String { "\(folder)/hosts/\(host)" }
    /// As every host sees its own.
    var ownHome: String { folder + "/home" }

    /// What runs a command on `host`, which keeps the number of the process that is started.
    func prefix(on host: String) -> [String] {
        let script = """
            hostname \(host) && mount --bind \(home(of: host)) \(ownHome) \
            && mount -t tmpfs none \(folder)/hosts && exec "$@"
            """
        return [
            "/usr/sbin/ip", "netns", "exec", namespace(of: host), "/usr/bin/unshare", "--uts",
            "/bin/sh", "-c", script, "sh",
        ]
    }

    /// Pulls the cable of `host`, or plugs it in again.
    func pull(_ host: String) throws {
        try Tool.ip("-n", bridge, "link", "set", cable(of: host), "down")
    }

    func plug(_ host: String) throws {
        try Tool.ip("-n", bridge, "link", "set", cable(of: host), "up")
    }

    /// Puts a line in the place of the cable of `host`, that can be as bad as the tests want.
    func replaceCable(of host: String) async throws -> BadLine {
        let name = namespace(of: host)
        try Tool.ip("-n", bridge, "link", "del", cable(of: host))
        let line = try await BadLine(from: bridge, "tap-\(host)", to: name, "eth0")
        try Tool.ip("-n", bridge, "link", "set", "tap-\(host)", "master", "br")
        try Tool.ip("-n", name, "addr", "add", "\(address(of: host))/24", "dev", "eth0")
        return line
    }

    /// All processes on `host`.
    func processes(on host: String) -> [pid_t] {
        let printed = try? Tool.run(["/usr/sbin/ip", "netns", "pids", namespace(of: host)])
        return (printed ?? "").split(separator: "\n").compactMap { pid_t($0) }
    }

    /// Every process that is left on the hosts is killed, and they are gone.
    func remove() {
        for host in hosts { for process in processes(on: host) { kill(process, SIGKILL) } }
        for name in hosts.map(namespace) + [bridge] { try? Tool.ip("netns", "del", name) }
        for host in hosts { _ = try? Tool.run(["/usr/bin/umount", home(of: host)]) }
    }
}

/// A line between two namespaces that delays and drops what it carries (`scripts/link`).
final class BadLine: Sendable {
    private let child: ChildProcess
    private let orders: FileHandle

    fileprivate init(
        from first: String, _ device: String, to second: String, _ other: String
    ) async throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let folder = NSTemporaryDirectory() + "flywheel-line-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (pipe, output) = (folder + "/orders", folder + "/output")
        guard unsafe mkfifo(pipe, 0o600) == 0 else { throw POSIXError(.EIO) }
        // Open for both, so that neither end waits for the other.
        let descriptor = unsafe open(pipe, O_RDWR | O_CLOEXEC)
        orders = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        child = try await ChildProcess.start(
            .init(
                [
                    "/usr/bin/python3", root.appendingPathComponent("scripts/link").path, first,
                    device, second, other, "--seed", "7",
                ], environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"], input: pipe,
                output: output, errors: output))
        try await poll(for: "the line between two hosts") {
            (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
        } until: {
            $0.contains("ready")
        }
    }

    /// As `scripts/link` reads it: `delay 50 loss 1`.
    func set(_ order: String) throws { try orders.write(contentsOf: Data((order + "\n").utf8)) }

    func end() async {
        child.signalGroup(SIGKILL)
        _ = await child.exit()
    }
}

/// Programs of the machine that tests of hosts run as root.
enum Tool {
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    static func ip(_ arguments: String...) throws {
        try run(["/usr/sbin/ip"] + arguments)
    }

    @discardableResult
    static func run(_ arguments: [String]) throws -> String {
        let log = NSTemporaryDirectory() + "flywheel-tool-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: log) }
        let printed = try ChildProcess.printed(
            by: .init(
                arguments, environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"], errors: log))
        let output = String(decoding: printed.output, as: UTF8.self)
        guard printed.exit == .exited(0) else {
            let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            throw Failed(
                description: "\(arguments.joined(separator: " ")): \(printed.exit) \(said)")
        }
        return output
    }
}

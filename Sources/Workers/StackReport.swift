import Foundation
import Processes

/// What processes are doing, for whoever asks later why they stopped: the stack of every thread, by
/// `eu-stack` or `gdb` where one is installed, else what the kernel shows of each.
enum StackReport {
    /// Of a process.
    private static let bytesMax = 64 << 10
    private static let patience = Duration.seconds(3)
    private static let processesMax = 8

    /// Nil where nothing of `processes` runs here.
    static func text(
        of processes: MarkedProcesses, node: String, folder: String
    ) async -> String? {
        let all = processes.all()
        guard !all.isEmpty else { return nil }
        let parts = await withTaskGroup(of: (Int32, String).self) { group in
            for process in all.prefix(processesMax) {
                group.addTask { (process, await part(process, folder: folder)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        let left = all.count - parts.count
        return parts.sorted { $0.key < $1.key }.map { process, text in
            "--- process \(process) (\(name(process))) on node \(node) when the gang had stopped\n"
                + text.prefix(bytesMax) + "\n"
        }.joined() + (left > 0 ? "--- and \(left) more\n" : "")
    }

    private static func part(_ process: Int32, folder: String) async -> String {
        let kernel = kernelText(process)
        for tool in tools where FileManager.default.isExecutableFile(atPath: tool.path) {
            if let text = await output(
                [tool.path] + tool.arguments(process), "\(folder)/stack-\(process)")
            {
                return "\(state(process))\n\(text)"
            }
        }
        return kernel
    }

    private static let tools: [(path: String, arguments: @Sendable (Int32) -> [String])] = [
        ("/usr/bin/eu-stack", { ["-n", "64", "-p", "\($0)"] }),
        (
            "/usr/bin/gdb",
            {
                [
                    "-batch", "-nx", "-iex", "set debuginfod enabled off", "-p", "\($0)", "-ex",
                    "thread apply all bt 64",
                ]
            }
        ),
    ]

    /// What a tool prints; nil where it fails or takes too long.
    private static func output(_ arguments: [String], _ path: String) async -> String? {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let environment = ["PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "DEBUGINFOD_URLS": ""]
        guard
            let child = try? await ChildProcess.start(
                .init(arguments, environment: environment, output: path))
        else { return nil }
        let limit = Task {
            try await Task.sleep(for: patience)
            child.signalGroup(SIGKILL)
        }
        let exit = await child.exit()
        limit.cancel()
        guard exit == .exited(0), let text = FileManager.default.contents(atPath: path),
            !text.isEmpty
        else { return nil }
        return String(decoding: text.prefix(bytesMax), as: UTF8.self)
    }

    /// Of each thread: its name, its state, the system call that it is in and where the kernel has it.
    private static func kernelText(_ process: Int32) -> String {
        let folder = "/proc/\(process)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return threads.compactMap { Int32($0) }.sorted().prefix(64).map { thread in
            let parts = ["wchan", "syscall", "stack"].map { part in
                "\(part): \(contents("\(folder)/\(thread)/\(part)"))"
            }
            return "thread \(thread), \(state(thread))\n\(parts.joined(separator: "\n"))"
        }.joined(separator: "\n")
    }

    private static func state(_ process: Int32) -> String {
        let status = contents("/proc/\(process)/status")
        return status.split(separator: "\n").first { $0.hasPrefix("State:") }.map(String.init)
            ?? "State: unknown"
    }

    private static func name(_ process: Int32) -> String { contents("/proc/\(process)/comm") }

    private static func contents(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

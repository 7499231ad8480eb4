import Foundation
import Jobs

/// What this machine is.
enum Machine {
    static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Cores on which this process may run.
    static var cores: Int { max(1, ProcessInfo.processInfo.activeProcessorCount) }

    static var memoryBytes: Int64 { Int64(clamping: ProcessInfo.processInfo.physicalMemory) }

    /// Changes with every boot.
    static var bootID: String {
        let path = "/proc/sys/kernel/random/boot_id"
        let text = try? String(contentsOfFile: path, encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
    }

    static func description(
        _ configuration: WorkerConfiguration, incarnation: UUID
    ) -> WorkerDescription {
        WorkerDescription(
            incarnation: incarnation, node: configuration.node, bootID: bootID, pid: getpid(),
            version: configuration.version, numericProfile: configuration.numericProfile,
            slots: configuration.slots, serveSlots: configuration.serving?.slots ?? 0, cpus: cores,
            gpus: 0, memoryBytes: memoryBytes,
            labels: configuration.labels.merging(
                configuration.network.map { [GangMember.networkLabel: $0] } ?? [:]
            ) { $1 })
    }
}

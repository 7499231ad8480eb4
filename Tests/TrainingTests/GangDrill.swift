import FlywheelCore
import Foundation
import Jobs
import Synchronization
import Training

/// A real gang under mpirun, and a worker that listens to it.
struct GangDrill {
    let folder: TemporaryFolder
    var specification: JSONValue = [
        "kind": "train", "name": "tiny",
        "model": [
            "new": [
                "architecture": "llama", "hidden": 32, "layers": 2, "heads": 4,
                "keyValueHeads": 2, "intermediate": 64, "vocabulary": 300, "positionsMax": 256,
            ]
        ],
        "data": "rows.jsonl", "method": ["type": "sft"],
        "schedule": ["epochs": 2, "learningRate": 0.001],
        "batch": ["lanes": 4, "rowTokens": 128, "seed": 7], "checkpoint": ["everySteps": 3],
        "validation": ["share": 0.1, "everySteps": 4], "overlong": "drop",
        "ranks": ["min": 1, "max": 4],
    ]
    /// Threads of each rank.
    var threads = 1
    /// Beside the rows.
    var inputs: [String: String] = [:]

    struct Result {
        var status: Int32
        var reason: Process.TerminationReason
        var events: [RankEvent]
        var duration: Duration

        var checkpoints: [CheckpointRecord] {
            events.compactMap { if case .checkpoint(let record) = $0 { record } else { nil } }
        }
        var steps: [StepRecord] {
            events.compactMap { if case .step(let record) = $0 { record } else { nil } }
        }
    }

    init(rows: Int = 120) throws {
        folder = try TemporaryFolder()
        let words = ["red", "green", "blue", "cat", "dog", "fish", "one", "two", "three"]
        var numbers = Numbers(seed: 1)
        let lines = (0..<rows).map { _ in
            let some = (0..<Int.random(in: 1...6, using: &numbers)).map { _ in
                words[Int.random(in: words.indices, using: &numbers)]
            }
            let row: JSONValue = [
                "messages": [
                    ["role": "user", "content": .string("sort " + some.joined(separator: " "))],
                    [
                        "role": "assistant",
                        "content": .string(some.sorted().joined(separator: " ")),
                    ],
                ]
            ]
            return row.canonical
        }
        try write(lines.joined(separator: "\n") + "\n")
    }

    /// The same in a precision.
    func asking(_ precision: String) -> Self {
        var drill = self
        if case .object(var members) = drill.specification {
            members["precision"] = .string(precision)
            drill.specification = .object(members)
        }
        return drill
    }

    /// The same for so many steps that somebody has time to interfere.
    func lasting() -> Self {
        var drill = self
        if case .object(var members) = drill.specification {
            members["schedule"] = ["steps": 600, "learningRate": 0.001]
            members["checkpoint"] = ["everySteps": 50]
            members["validation"] = ["share": 0.1, "everySteps": 200]
            drill.specification = .object(members)
        }
        return drill
    }

    /// The same with `method` on pairs of answers (the words in order, and backwards), from the model in
    /// the folder `base`.
    func comparing(_ method: JSONValue, from base: String) throws -> Self {
        var drill = self
        drill.inputs["base"] = base
        if case .object(var members) = specification {
            members["model"] = ["base": "./model"]
            members["method"] = method
            // Both answers are in one row.
            members["batch"] = ["lanes": 4, "rowTokens": 192, "seed": 7]
            drill.specification = .object(members)
        }
        let isJudged = method["type"]?.string == "kto"
        let text = try String(contentsOfFile: folder.path + "/rows.jsonl", encoding: .utf8)
        let lines = try text.split(separator: "\n").enumerated().map { index, line in
            let messages = try JSONValue(parsing: Array(line.utf8))["messages"]?.array ?? []
            let words = messages[1]["content"]?.string?.split(separator: " ") ?? []
            let backwards: JSONValue = [
                "role": "assistant", "content": .string(words.reversed().joined(separator: " ")),
            ]
            let row: JSONValue =
                isJudged
                ? [
                    "messages": [messages[0], index % 2 == 0 ? messages[1] : backwards],
                    "label": .boolean(index % 2 == 0),
                ]
                : [
                    "input": ["messages": [messages[0]]], "preferred_output": [messages[1]],
                    "non_preferred_output": [backwards],
                ]
            return row.canonical
        }
        try drill.write(lines.joined(separator: "\n") + "\n")
        return drill
    }

    func write(_ rows: String) throws {
        try Data(rows.utf8).write(to: URL(fileURLWithPath: folder.path + "/rows.jsonl"))
    }

    /// The executable under test: it lies beside the tests.
    private static var executable: String {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        return URL(fileURLWithPath: tests ?? "").deletingLastPathComponent()
            .appendingPathComponent("flywheel-rank").path
    }

    /// Runs `ranks` under mpirun to their end; `onEvent` hears every event, and may answer or kill.
    func run(
        ranks: Int, fence: Int64 = 1, from checkpoint: CheckpointRecord? = nil,
        onEvent: @escaping @Sendable (RankEvent, Conversation) -> Void = { _, _ in }
    ) throws -> Result {
        let attempt = folder.path + "/attempt-\(fence)"
        for name in [attempt, folder.path + "/job"] {
            try FileManager.default.createDirectory(
                atPath: name, withIntermediateDirectories: true)
        }
        // Names of sockets are short; a temporary folder's need not be.
        let socket = "/tmp/flywheel-\(UUID().uuidString.prefix(8))"
        defer { unsafe unlink(socket) }
        let plan = RankPlan(
            lease: Lease(
                job: JobID(rawValue: 1), attempt: Int(fence), fence: Fence(rawValue: fence)),
            specification: specification, threads: threads, jobFolder: folder.path + "/job",
            attemptFolder: attempt,
            inputs: inputs.merging(["data": folder.path + "/rows.jsonl"]) { $1 },
            checkpoint: checkpoint, socket: socket)
        let planPath = attempt + "/plan.json"
        try JSONEncoder().encode(plan).write(to: URL(fileURLWithPath: planPath))

        let mpirun = Process()
        mpirun.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        mpirun.arguments = [
            "mpirun", "-n", "\(ranks)", "--oversubscribe", "--bind-to", "none", Self.executable,
            planPath,
        ]
        mpirun.environment = ProcessInfo.processInfo.environment.merging([
            "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        ]) { $1 }
        mpirun.standardError = FileHandle.nullDevice
        let listener = try Listener(at: socket)
        let start = ContinuousClock.now
        try mpirun.run()
        let heard = listener.hear(mpirun.processIdentifier, onEvent)
        mpirun.waitUntilExit()
        listener.close()
        return Result(
            status: mpirun.terminationStatus, reason: mpirun.terminationReason, events: heard(),
            duration: ContinuousClock.now - start)
    }

    func modelDigest(fence: Int64) throws -> Digest {
        try Digest(ofFile: folder.path + "/attempt-\(fence)/model/model.safetensors")
    }
}

/// What a listener can do about an event.
struct Conversation: Sendable {
    let descriptor: Int32
    let mpirun: Int32

    func ask(_ request: RankRequest) {
        let line = Array("\"\(request.rawValue)\"\n".utf8)
        _ = unsafe line.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    }

    /// Kills a rank as the kernel would when memory runs out.
    func killRank(_ index: Int) {
        let list = "/proc/\(mpirun)/task/\(mpirun)/children"
        let children = (try? String(contentsOfFile: list, encoding: .utf8)) ?? ""
        let pids = children.split(separator: " ").compactMap { Int32($0) }.sorted()
        if pids.indices.contains(index) { kill(pids[index], SIGKILL) }
    }
}

/// The worker's end of the socket.
private final class Listener: Sendable {
    private let descriptor: Int32

    init(at path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) {
            unsafe $0.copyBytes(from: Array(path.utf8))
        }
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0, listen(descriptor, 1) == 0 else { throw POSIXError(.EADDRINUSE) }
    }

    /// Wakes an `accept` that nobody will answer, and frees the socket.
    func close() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        Foundation.close(descriptor)
    }

    /// Listens on a thread of its own; the function returned waits for its end.
    func hear(
        _ mpirun: Int32, _ onEvent: @escaping @Sendable (RankEvent, Conversation) -> Void
    ) -> () -> [RankEvent] {
        let ended = DispatchSemaphore(value: 0)
        let box = EventBox()
        let thread = Thread { [descriptor] in
            defer { ended.signal() }
            let connection = accept(descriptor, nil, nil)
            guard connection >= 0 else { return }
            defer { Foundation.close(connection) }
            let conversation = Conversation(descriptor: connection, mpirun: mpirun)
            var pending: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = unsafe buffer.withUnsafeMutableBytes {
                    unsafe read(connection, $0.baseAddress, $0.count)
                }
                guard count > 0 else { return }
                pending += buffer.prefix(count)
                while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = Data(pending[..<end])
                    pending.removeSubrange(...end)
                    guard let event = try? JSONDecoder().decode(RankEvent.self, from: line) else {
                        continue
                    }
                    box.append(event)
                    onEvent(event, conversation)
                }
            }
        }
        thread.start()
        return {
            ended.wait()
            return box.events
        }
    }
}

private final class EventBox: Sendable {
    private let list = Mutex<[RankEvent]>([])
    func append(_ event: RankEvent) { list.withLock { $0.append(event) } }
    var events: [RankEvent] { list.withLock { $0 } }
}

import Foundation
import Processes
import Synchronization
import TestSupport
import Testing

/// A shell script as a command.
func shell(
    _ script: String, environment: [String: String] = [:], folder: String = ".",
    input: String = "/dev/null", output: String = "/dev/null", errors: String = "/dev/null",
    deathSignal: Int32? = SIGKILL
) -> ChildProcess.Command {
    ChildProcess.Command(
        ["/bin/sh", "-c", script], environment: environment, folder: folder, input: input,
        output: output, errors: errors, deathSignal: deathSignal)
}

/// Whether a process has ended within a few seconds.
func hasGone(_ pid: pid_t) async throws -> Bool {
    for _ in 0..<500 {
        if kill(pid, 0) != 0, errno == ESRCH { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return false
}

@Suite struct `A child` {
    @Test func `ends with a code or by a signal`() async throws {
        #expect(await (try ChildProcess.start(shell("exit 3"))).exit() == .exited(3))
        #expect(await (try ChildProcess.start(shell("exit 255"))).exit() == .exited(255))
        let child = try await ChildProcess.start(shell("exec sleep 1000"))
        #expect(child.isRunning)
        child.signal(SIGTERM)
        #expect(await child.exit() == .signalled(SIGTERM))
        #expect(!child.isRunning)
        #expect(await child.exit() == .signalled(SIGTERM), "whoever asks later hears the same")
    }

    @Test func `has our files, its folder and its environment, and nothing else of ours`()
        async throws
    {
        try await temporaryFolder { folder in
            try "from a file".write(toFile: folder + "/in", atomically: true, encoding: .utf8)
            try "before\n".write(toFile: folder + "/out", atomically: true, encoding: .utf8)
            // A descriptor that is not closed on exec.
            let open = dup(0)
            defer { close(open) }
            let script = "cat; echo; env | sort; echo /proc/self/fd/*; echo no >&2"
            let child = try await ChildProcess.start(
                shell(
                    script, environment: ["PATH": "/usr/bin:/bin", "WHO": "me"], folder: folder,
                    input: folder + "/in", output: folder + "/out", errors: folder + "/err"))
            #expect(await child.exit() == .exited(0))
            let real = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
            let lines = try String(contentsOfFile: folder + "/out", encoding: .utf8)
                .split(separator: "\n").map(String.init).filter { !$0.hasPrefix("_=") }
            #expect(
                lines == [
                    "before", "from a file", "PATH=/usr/bin:/bin",
                    "PWD=\(real)", "WHO=me",
                    // The fourth is the shell's, for the folder that it lists.
                    "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3",
                ])
            #expect(try String(contentsOfFile: folder + "/err", encoding: .utf8) == "no\n")
        }
    }

    @Test func `is not started where its program, folder or files are missing`() async throws {
        let missing = await #expect(throws: SystemError.self) {
            try await ChildProcess.start(.init(["/no/such/program"], environment: [:]))
        }
        #expect(missing?.number == ENOENT)
        #expect(
            missing?.description == "could not start /no/such/program: No such file or directory")
        for command in [
            shell("true", folder: "/no/such"), shell("true", input: "/no/such"),
            shell("true", output: "/no/such/file"), shell("true", errors: "/no/such/file"),
        ] {
            await #expect(throws: SystemError.self) { try await ChildProcess.start(command) }
        }
    }

    @Test func `leads a group that is signalled as a whole`() async throws {
        try await temporaryFolder { folder in
            let child = try await ChildProcess.start(
                shell("sleep 1000 & echo $!; wait", output: folder + "/out"))
            var grandchild: pid_t?
            while grandchild == nil {
                try await Task.sleep(for: .milliseconds(10))
                let text = try String(contentsOfFile: folder + "/out", encoding: .utf8)
                if text.hasSuffix("\n") { grandchild = pid_t(text.dropLast()) }
            }
            child.signalGroup(SIGKILL)
            #expect(await child.exit() == .signalled(SIGKILL))
            let orphan = try #require(grandchild)
            #expect(try await hasGone(orphan))
        }
    }

    @Test func `tells whom it was told to before anybody hears of its end`() async throws {
        for _ in 0..<50 {
            let told = Told()
            let child = try await ChildProcess.start(shell("exit 0")) { told.tell() }
            #expect(await child.exit() == .exited(0))
            #expect(told.count == 1)
        }
    }

    @Test func `is not signalled once its number may be another's`() async throws {
        let child = try await ChildProcess.start(shell("exit 0"))
        #expect(await child.exit() == .exited(0))
        #expect(try await hasGone(child.pid))
        child.signal(SIGKILL)
        child.signalGroup(SIGKILL)
        #expect(await child.exit() == .exited(0))
    }

    @Test func `starts with no signal blocked or ignored`() throws {
        signal(SIGUSR2, SIG_IGN)
        let (output, exit) = try ChildProcess.printed(
            by: .init(["/bin/grep", "^Sig[BI]", "/proc/self/status"], environment: [:]))
        #expect(exit == .exited(0))
        // But 32 and 33, which the C library keeps for itself.
        let own: UInt64 = 1 << 31 | 1 << 32
        for line in String(decoding: output, as: UTF8.self).split(separator: "\n") {
            let signals = try #require(UInt64(line.suffix(16), radix: 16))
            #expect(signals & ~own == 0, "\(line)")
        }
    }
}

@Suite struct `What a child prints` {
    @Test func `is taken whole, however much it is`() throws {
        let (output, exit) = try ChildProcess.printed(
            by: .init(["/usr/bin/head", "-c", "3000000", "/dev/zero"], environment: [:]))
        #expect(exit == .exited(0) && output.count == 3_000_000)
    }

    @Test func `comes with how it ended`() throws {
        let (output, exit) = try ChildProcess.printed(by: shell("echo some; kill -9 $$"))
        #expect(output == Array("some\n".utf8) && exit == .signalled(SIGKILL))
    }
}

/// Parents here are processes of their own, which `processExitsWith` starts, and they do die.
@Suite struct `A child whose parent dies` {
    @Test(arguments: [SIGKILL, SIGTERM]) func `gets its death signal`(signal: Int32) async throws {
        try await temporaryFolder { folder in
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [folder = folder as String, signal = signal as Int32] in
                let script =
                    "trap 'echo told >>\(folder)/told; exit' TERM; while :; do sleep 0.02; done"
                let child = try await ChildProcess.start(
                    shell(script, environment: ["PATH": "/usr/bin:/bin"], deathSignal: signal))
                try "\(child.pid)".write(
                    toFile: folder + "/pid", atomically: true, encoding: .utf8)
                try await Task.sleep(for: .milliseconds(200))
                kill(getpid(), SIGKILL)
            }
            let pid = try child(folder)
            #expect(try await hasGone(pid))
            #expect(FileManager.default.fileExists(atPath: folder + "/told") == (signal == SIGTERM))
        }
    }

    @Test func `lives on where it has none`() async throws {
        try await temporaryFolder { folder in
            await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
                let child = try await ChildProcess.start(
                    .init(["/bin/sleep", "1000"], environment: [:], deathSignal: nil))
                try "\(child.pid)".write(
                    toFile: folder + "/pid", atomically: true, encoding: .utf8)
                kill(getpid(), SIGKILL)
            }
            let pid = try child(folder)
            try await Task.sleep(for: .milliseconds(200))
            #expect(kill(pid, 0) == 0)
            kill(pid, SIGKILL)
        }
    }

    private func child(_ folder: String) throws -> pid_t {
        try #require(pid_t(try String(contentsOfFile: folder + "/pid", encoding: .utf8)))
    }
}

private final class Told: Sendable {
    private let calls = Mutex(0)
    var count: Int { calls.withLock(\.self) }
    func tell() { calls.withLock { $0 += 1 } }
}

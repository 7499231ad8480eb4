import CProcess
import Foundation

extension ChildProcess {
    private static let appending = O_WRONLY | O_CREAT | O_APPEND

    /// Starts a command as a child of this *thread*, which must stay until it has ended.
    static func spawn(_ command: Command) throws(SystemError) -> pid_t {
        let output = try open(command.output, appending)
        defer { close(output) }
        return try spawn(command, output: output)
    }

    /// The same, with a descriptor in the place of the command's `output`.
    private static func spawn(_ command: Command, output: Int32) throws(SystemError) -> pid_t {
        let input = try open(command.input, O_RDONLY)
        defer { close(input) }
        let errors = try open(command.errors, appending)
        defer { close(errors) }
        let environment = command.environment.map { "\($0.key)=\($0.value)" }.sorted()
        var pid: pid_t = 0
        let status = unsafe withCStrings(command.arguments) { arguments in
            unsafe withCStrings(environment) { environment in
                unsafe cprocess_spawn(
                    arguments, environment, command.folder,
                    [input, output, errors], command.deathSignal ?? 0, &pid)
            }
        }
        guard status == 0 else {
            throw SystemError(call: "start \(command.arguments.first ?? "")", number: status)
        }
        return pid
    }

    private static func open(_ path: String, _ flags: Int32) throws(SystemError) -> Int32 {
        let file = unsafe Glibc.open(path, flags | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SystemError(call: "open \(path)", number: errno) }
        return file
    }
}

extension ChildProcess {
    /// Runs a command while this thread waits, and takes what it prints instead of adding it to the
    /// command's `output`.
    package static func printed(
        by command: Command
    ) throws(SystemError) -> (output: [UInt8], exit: ChildExit) {
        var ends: [Int32] = [-1, -1]
        let status = unsafe cprocess_pipe(&ends)
        guard status == 0 else { throw SystemError(call: "make a pipe", number: status) }
        defer { close(ends[0]) }
        let pid: pid_t
        do {
            defer { close(ends[1]) }
            pid = try spawn(command, output: ends[1])
        }
        var output: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe piece.withUnsafeMutableBytes { buffer in
                unsafe read(ends[0], buffer.baseAddress, buffer.count)
            }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            output += piece[..<count]
        }
        return (output, ChildExit(status: cprocess_reap(pid)))
    }
}

/// Calls `body` with `strings` as C takes them, ended by a null pointer.
private func withCStrings<Output>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Output
) -> Output {
    var pointers = unsafe strings.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeMutableBufferPointer { buffer in
        guard let first = buffer.baseAddress else { preconditionFailure("never empty") }
        return unsafe body(UnsafePointer(first))
    }
}

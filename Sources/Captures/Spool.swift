import Dispatch
import FlywheelCore
import Foundation
import Synchronization

/// Records in files of this machine, between the reply that they tell of and the database.
///
/// One process appends to a spool and drains it, in order; the folder's lock says whose it is, and the
/// spool of a dead process is opened like any other. A record is in the kernel's hands when `append`
/// returns, so that the process may die; `isSynced` waits for the disk too, and the machine may.
public final class Spool: Sendable {
    public struct Limits: Sendable {
        /// Beyond so many bytes not yet drained, nothing more is taken.
        public var bytesMax = 1 << 30
        /// When a file is closed and the next one begun.
        public var segmentBytes = 8 << 20
        public init() {}
    }

    /// Why a record was not taken.
    public enum Refusal: Error, Equatable, Sendable, CustomStringConvertible {
        case full(bytes: Int)
        case file(String)

        public var description: String {
            switch self {
            case .full(let bytes):
                "the spool holds \(bytes) bytes that the database has not taken yet, and no more fit"
            case .file(let problem): "the spool cannot be written: \(problem)"
            }
        }
    }

    struct Segment {
        var number: Int
        /// All of it that checks out.
        var bytes: Int
    }

    struct State {
        var segments: [Segment] = []
        /// Of the last segment, while it is written.
        var file: Int32?
        /// In the first segment.
        var drained = SpoolRecord.header.count
        var appended: UInt64 = 0
        var bytes: Int { segments.reduce(0) { $0 + $1.bytes } }
    }

    public let folder: String
    let limits: Limits
    let isSynced: Bool
    let state: Mutex<State>
    private let lock: FileLock
    private let synced = Mutex(UInt64(0))
    private let disk = DispatchQueue(label: "flywheel.spool.disk")
    /// What was found wrong when the folder was opened, as sentences.
    public let complaints: [String]

    /// Opens `folder`, which is made where there is none; nil where another process has it.
    public init?(
        folder: String, limits: Limits = Limits(), isSynced: Bool = false
    ) throws {
        self.folder = folder
        self.limits = limits
        self.isSynced = isSynced
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        do throws(FileLock.Failure) {
            lock = try FileLock(folder + "/lock")
        } catch {
            guard case .held = error else {
                throw ServiceUnavailable(
                    "The spool \(folder) cannot be opened.", remedy: "Check who owns FLYWHEEL_HOME."
                )
            }
            return nil
        }
        var complaints: [String] = []
        state = Mutex(State(segments: try Self.segments(of: folder, &complaints)))
        self.complaints = complaints
    }

    /// Bytes that are not drained yet.
    public var backlog: Int {
        state.withLock { $0.bytes - $0.segments.count * SpoolRecord.header.count }
    }

    /// Adds a record; throws `Refusal`, and then nothing of it is kept.
    public func append(_ payload: [UInt8]) async throws(Refusal) {
        let record = SpoolRecord.encode(payload)
        let number = try state.withLock { (state) throws(Refusal) in
            guard state.bytes + record.count <= limits.bytesMax,
                payload.count <= SpoolRecord.payloadBytesMax
            else { throw .full(bytes: state.bytes) }
            let file = if let file = state.file { file } else { try begin(&state) }
            try write(record, to: file, &state)
            state.appended += 1
            if state.segments.last.map({ $0.bytes >= limits.segmentBytes }) == true {
                close(&state)
            }
            return state.appended
        }
        if isSynced { await sync(number) }
    }

    /// Begins the next file.
    private func begin(_ state: inout State) throws(Refusal) -> Int32 {
        let number = (state.segments.last?.number ?? 0) + 1
        let file = unsafe open(
            path(number), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .file(Self.reason) }
        state.segments.append(Segment(number: number, bytes: 0))
        state.file = file
        do {
            try write(SpoolRecord.header, to: file, &state)
        } catch {
            state.segments.removeLast()
            state.file = nil
            Glibc.close(file)
            unsafe unlink(path(number))
            throw error
        }
        return file
    }

    /// All of `bytes` or none: what a full disk took of them is cut off again.
    private func write(_ bytes: [UInt8], to file: Int32, _ state: inout State) throws(Refusal) {
        let last = state.segments.count - 1
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes[done...].withUnsafeBytes {
                unsafe Glibc.write(file, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = Self.reason
                ftruncate(file, state.segments[last].bytes)
                throw .file(reason)
            }
            done += count
        }
        state.segments[last].bytes += bytes.count
    }

    /// Ends the file that is written, once all of it is on the disk where that was promised.
    private func close(_ state: inout State) {
        guard let file = state.file else { return }
        state.file = nil
        disk.async { [isSynced] in
            if isSynced { fdatasync(file) }
            Glibc.close(file)
        }
    }

    /// Returns when the disk has the record `number`; those who wait together share one call.
    private func sync(_ number: UInt64) async {
        await withCheckedContinuation { continuation in
            disk.async { [self] in
                if synced.withLock({ $0 < number }) {
                    let (file, upTo) = state.withLock { ($0.file, $0.appended) }
                    if let file { fdatasync(file) }
                    synced.withLock { $0 = upTo }
                }
                continuation.resume()
            }
        }
    }

    func path(_ number: Int) -> String { Self.path(folder, number) }

    static func path(_ folder: String, _ number: Int) -> String {
        let digits = String(number)
        return folder + "/" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
            + ".spool"
    }

    static var reason: String { unsafe String(cString: strerror(errno)) }

    deinit {
        state.withLock { if let file = $0.file { Glibc.close(file) } }
    }
}

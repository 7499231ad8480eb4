import Foundation
import Jobs
import Processes
import Synchronization

/// The worker's end of the Unix socket on which rank 0 speaks, a JSON line at a time.
///
/// A thread of its own reads, and stops reading while `isFull`, so that ranks wait for a slow store
/// rather than fill this process's memory.
final class RankChannel: Sendable {
    static let lineBytesMax = 64 << 20

    private struct State {
        var connection: UnixConnection?
        /// Asked before anybody connected.
        var unsent: [RankRequest] = []
        var isClosing = false
        var isClosed = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let listener: UnixListener

    /// Listens at `path`; `take` is called for every event, and for every line that is none.
    init(
        path: String, isFull: @escaping @Sendable () -> Bool,
        take: @escaping @Sendable (Result<RankEvent, GarbledLine>) -> Void
    ) throws {
        listener = try UnixListener(path: path)
        Thread.detachNewThread { self.serve(isFull: isFull, take: take) }
    }

    /// Sends a request now, or as soon as rank 0 has connected.
    func send(_ request: RankRequest) {
        state.withLock { state in
            if let connection = state.connection {
                Self.write(request, to: connection)
            } else {
                state.unsent.append(request)
            }
        }
    }

    /// Takes what has been sent so far and closes; no event comes after this returns.
    func close() async {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                state.isClosing = true
                if !state.isClosed { state.waiters.append(continuation) }
                return state.isClosed
            }
            if isClosed { continuation.resume() }
        }
    }

    private func serve(
        isFull: @Sendable () -> Bool, take: @Sendable (Result<RankEvent, GarbledLine>) -> Void
    ) {
        while true {
            let isClosing = state.withLock(\.isClosing)
            if let connection = listener.accept(withinMilliseconds: isClosing ? 0 : 100) {
                read(connection, isFull: isFull, take: take)
            } else if isClosing {
                break
            }
        }
        listener.close()
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func read(
        _ connection: UnixConnection, isFull: @Sendable () -> Bool,
        take: @Sendable (Result<RankEvent, GarbledLine>) -> Void
    ) {
        state.withLock { state in
            state.connection = connection
            for request in state.unsent { Self.write(request, to: connection) }
            state.unsent = []
        }
        defer {
            state.withLock { $0.connection = nil }
            connection.close()
        }
        var lines = LineBuffer()
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let isClosing = state.withLock(\.isClosing)
            if isFull(), !isClosing {
                usleep(10_000)
                continue
            }
            guard connection.isReadable(withinMilliseconds: isClosing ? 0 : 100) else {
                if isClosing { return }
                continue
            }
            let count = connection.read(into: &piece)
            if count == 0 { return }
            for line in lines.take(piece[..<count]) { take(Self.event(line)) }
            if lines.unfinishedCount > Self.lineBytesMax {
                take(.failure(GarbledLine(beginning: "a line of more than 64 MiB")))
                return
            }
        }
    }

    private static func event(_ line: [UInt8]) -> Result<RankEvent, GarbledLine> {
        do {
            return .success(try JSONDecoder().decode(RankEvent.self, from: Data(line)))
        } catch {
            return .failure(
                GarbledLine(beginning: String(decoding: line.prefix(200), as: UTF8.self)))
        }
    }

    private static func write(_ request: RankRequest, to connection: UnixConnection) {
        guard let text = try? JSONEncoder().encode(request) else { return }
        // A rank that has gone cannot be asked; its end is noticed elsewhere.
        connection.send(Array(text) + [UInt8(ascii: "\n")])
    }
}

/// A line from a rank that is no event.
struct GarbledLine: Error {
    var beginning: String
}

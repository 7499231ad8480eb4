import Foundation
import Glibc
import Synchronization

/// A child's connection to its worker, rank 0's or that of a process that asks models: events out, requests
/// in, a JSON line each.
@safe package final class WorkerLink: Sendable {
    /// The worker closed its end: it died, or gave this attempt up.
    package struct Lost: Error, CustomStringConvertible {
        package let description =
            "The worker's socket closed. The work ends here; the job resumes where it was recorded last."
    }

    private let descriptor: Int32
    private let heard = Mutex<RankRequest?>(nil)
    /// Lines of several tasks must not run into each other.
    private let sending = Mutex(())

    package init(to path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Lost() }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < room else {
            throw POSIXError(.ENAMETOOLONG)
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw Lost() }
        let thread = Thread { [self] in listen() }
        thread.start()
    }

    /// The last thing asked for; a cancellation is never taken back by a later request.
    package var request: RankRequest? { heard.withLock { $0 } }

    package func send(_ event: RankEvent) throws {
        var line = Array(try JSONEncoder().encode(event))
        line.append(UInt8(ascii: "\n"))
        try sending.withLock { _ in try write(line) }
    }

    private func write(_ line: [UInt8]) throws {
        var rest = line[...]
        while !rest.isEmpty {
            let sent = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if sent < 0, errno == EINTR { continue }
            guard sent > 0 else { throw Lost() }
            rest = rest.dropFirst(sent)
        }
    }

    /// Reads requests until the other end closes; what is no request is passed over.
    private func listen() {
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe read(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            pending += buffer.prefix(count)
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Data(pending[..<end])
                pending.removeSubrange(...end)
                guard let request = try? JSONDecoder().decode(RankRequest.self, from: line) else {
                    continue
                }
                heard.withLock { if $0 != .cancel { $0 = request } }
            }
        }
    }
}

import CProcess
import Glibc

/// A Unix socket on which other processes of this machine may speak to this one.
///
/// Whoever made it closes it.
package struct UnixListener: Sendable {
    /// How many bytes a socket's path may have.
    package static let pathBytesMax = Int(cprocess_socket_path_max())

    private let descriptor: Int32
    private let path: String

    /// Listens at `path`, in the place of what lies there.
    package init(path: String) throws(SystemError) {
        _ = unsafe unlink(path)
        descriptor = unsafe cprocess_listen(path)
        guard descriptor >= 0 else {
            throw SystemError(call: "listen on \(path)", number: -descriptor)
        }
        self.path = path
    }

    /// The next connection, if one comes within the time.
    package func accept(withinMilliseconds patience: Int32) -> UnixConnection? {
        guard cprocess_readable(descriptor, patience) > 0 else { return nil }
        let connection = cprocess_accept(descriptor)
        return connection >= 0 ? UnixConnection(descriptor: connection) : nil
    }

    package func close() {
        Glibc.close(descriptor)
        _ = unsafe unlink(path)
    }
}

/// One end of a connection; whoever accepted it closes it.
package struct UnixConnection: Sendable {
    fileprivate let descriptor: Int32

    /// Whether `read` would return at once, now or within the time.
    package func isReadable(withinMilliseconds patience: Int32) -> Bool {
        cprocess_readable(descriptor, patience) > 0
    }

    /// Waits for some bytes and puts them into `buffer`; how many, 0 when no more will come.
    package func read(into buffer: inout [UInt8]) -> Int {
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            }
            if count < 0, errno == EINTR { continue }
            return max(0, count)
        }
    }

    /// Sends all of `bytes`; false when nobody is there to take them.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe cprocess_send(descriptor, bytes.baseAddress, bytes.count) == 0
        }
    }

    package func close() { Glibc.close(descriptor) }
}

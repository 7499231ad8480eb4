import Glibc

/// A call of the operating system about a file that failed.
public struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was tried, as a verb: `open`, `write`, `rename`.
    public let operation: String
    public let path: String
    public let code: Errno

    /// The error of the call that failed last on this thread.
    init(_ operation: String, _ path: String) {
        self.operation = operation
        self.path = path
        code = Errno(rawValue: errno)
    }

    /// A number of `errno`.
    public struct Errno: RawRepresentable, Hashable, Sendable {
        public let rawValue: CInt
        public init(rawValue: CInt) { self.rawValue = rawValue }
    }

    public var description: String {
        let reason = unsafe strerror(code.rawValue).map { unsafe String(cString: $0) }
        return "\(path): cannot \(operation): \(reason ?? "error \(code.rawValue)")."
    }
}

/// Cuts a stream of bytes into lines.
package struct LineBuffer: Sendable {
    private var rest: [UInt8] = []

    package init() {}

    /// The lines that `bytes` completes, without their ends.
    package mutating func take(_ bytes: some Collection<UInt8>) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            rest.append(contentsOf: bytes[start..<end])
            lines.append(rest)
            rest = []
            start = bytes.index(after: end)
        }
        rest.append(contentsOf: bytes[start...])
        return lines
    }

    /// What came after the last line's end.
    package var unfinishedCount: Int { rest.count }
}

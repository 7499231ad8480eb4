/// Cuts a stream of server-sent events into events, each with every byte that it came with.
///
/// Lines end in LF, CRLF or CR, and a blank line ends an event (WHATWG HTML, section 9.2.6).
package struct EventSplitter: Sendable {
    package struct Event: Sendable, Equatable {
        /// With the blank line that ends it.
        package var bytes: [UInt8]
        /// What its `data:` lines say, joined by newlines; nil for a comment.
        package var data: [UInt8]?

        package var isDone: Bool { data.map { $0.elementsEqual("[DONE]".utf8) } ?? false }
    }

    /// What has come since the last event ended.
    package private(set) var rest: [UInt8] = []
    /// Of `rest`: where the line begins that has not ended.
    private var line = 0
    private var searched = 0
    private var data: [UInt8]?

    package init() {}

    /// The events that end within `bytes`.
    package mutating func take(_ bytes: some Collection<UInt8>) -> [Event] {
        rest += bytes
        var events: [Event] = []
        while let end = rest[searched...].firstIndex(where: { $0 == 0x0A || $0 == 0x0D }) {
            var next = end + 1
            if rest[end] == 0x0D {
                // Whether an LF belongs to this CR is known with the next byte.
                guard next < rest.count else { break }
                if rest[next] == 0x0A { next += 1 }
            }
            if line == end {
                events.append(Event(bytes: Array(rest[..<next]), data: data))
                rest.removeFirst(next)
                (line, searched, data) = (0, 0, nil)
            } else {
                read(rest[line..<end])
                (line, searched) = (next, next)
            }
        }
        return events
    }

    private mutating func read(_ line: ArraySlice<UInt8>) {
        guard line.starts(with: "data:".utf8) else { return }
        var value = line.dropFirst(5)
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        data = data.map { $0 + [0x0A] + value } ?? Array(value)
    }
}

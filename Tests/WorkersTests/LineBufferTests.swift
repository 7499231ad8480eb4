import Testing
import Workers

@Suite struct `A line buffer` {
    @Test func `cuts at line ends, wherever the pieces end`() {
        for size in 1...12 {
            var buffer = LineBuffer()
            let bytes = Array("one\n\ntwo\nrest".utf8)
            var lines: [String] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                let piece = bytes[start..<min(start + size, bytes.count)]
                lines += buffer.take(piece).map { String(decoding: $0, as: UTF8.self) }
            }
            #expect(lines == ["one", "", "two"], "in pieces of \(size)")
            #expect(buffer.unfinishedCount == 4)
        }
    }
}

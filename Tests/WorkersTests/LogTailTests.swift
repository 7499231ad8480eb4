import Foundation
import TestSupport
import Testing
import Workers

@Suite struct `A log's tail` {
    @Test func `takes each byte once, and no more than is kept`() async throws {
        try await temporaryFolder { folder in
            let path = folder + "/log"
            var tail = LogTail(paths: [path], bytesMax: 10)
            #expect(tail.take() == nil)
            try "one\n".write(toFile: path, atomically: false, encoding: .utf8)
            #expect(tail.take() == "one\n")
            #expect(tail.take() == nil)
            let file = try #require(FileHandle(forWritingAtPath: path))
            try file.seekToEnd()
            try file.write(contentsOf: Data("2\03456789".utf8))
            try file.close()
            #expect(
                tail.take() == "2\u{FFFD}3456\n[the rest of this attempt's output was not kept]\n")
            #expect(tail.take() == nil)
        }
    }

    @Test func `ends with the last lines that say something`() async throws {
        try await temporaryFolder { folder in
            let path = folder + "/errors"
            try "a\n-----\nb\n\nc\n=====\n".write(toFile: path, atomically: true, encoding: .utf8)
            #expect(LogTail.lastLines(of: path, max: 2) == "b\nc")
            #expect(LogTail.lastLines(of: folder + "/none") == "")
        }
    }
}

import Foundation

/// Follows the files that hold a gang's output, for the store to keep a bounded part of it.
package struct LogTail {
    private let paths: [String]
    private var offsets: [UInt64]
    private var left: Int
    /// A file that outgrows this is emptied: a rank must not fill the disk by talking.
    private static let fileBytesMax: UInt64 = 64 << 20
    private static let pieceBytesMax = 256 << 10

    package init(paths: [String], bytesMax: Int) {
        self.paths = paths
        offsets = paths.map { _ in 0 }
        left = bytesMax
    }

    /// What was written since the last call; nil if nothing was, or all that is kept has been taken.
    package mutating func take() -> String? {
        var text = ""
        for index in paths.indices {
            guard let file = FileHandle(forUpdatingAtPath: paths[index]) else { continue }
            defer { try? file.close() }
            let size = (try? file.seekToEnd()) ?? 0
            if left > 0, size > offsets[index] {
                try? file.seek(toOffset: offsets[index])
                let piece = (try? file.read(upToCount: min(left, Self.pieceBytesMax))) ?? Data()
                offsets[index] += UInt64(piece.count)
                left -= piece.count
                text += String(decoding: piece, as: UTF8.self)
                if left <= 0 { text += "\n[the rest of this attempt's output was not kept]\n" }
            }
            if size > Self.fileBytesMax {
                try? file.truncate(atOffset: 0)
                offsets[index] = 0
            }
        }
        return text.isEmpty ? nil : Self.storable(text)
    }

    /// The last lines of a file, for a person to read.
    package static func lastLines(of path: String, max: Int = 8, bytesMax: UInt64 = 4096) -> String
    {
        guard let file = FileHandle(forReadingAtPath: path) else { return "" }
        defer { try? file.close() }
        let size = (try? file.seekToEnd()) ?? 0
        try? file.seek(toOffset: size > bytesMax ? size - bytesMax : 0)
        let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
        let rulers = Set("-=*")
        let lines = text.split(whereSeparator: \.isNewline).filter { line in
            // Open MPI frames its messages.
            !line.allSatisfy { rulers.contains($0) || $0.isWhitespace }
        }
        return storable(lines.suffix(max).joined(separator: "\n"))
    }

    /// PostgreSQL's text holds no null characters.
    package static func storable(_ text: String) -> String {
        text.replacingOccurrences(of: "\0", with: "\u{FFFD}")
    }
}

import FlywheelCore
import Foundation

/// Reads a JSONL file of rows, all of one shape.
public enum DatasetFile {
    /// Whether a conversation must end with an answer: to learn from it, yes; to generate one, no.
    public enum Ending: Sendable { case answered, open }

    /// The rows of the file at `path`.
    ///
    /// Blank lines, a byte order mark and carriage returns at line ends are passed over. Throws
    /// `InputError` naming file, line and field of the first row that cannot be used.
    public static func rows(at path: String, ending: Ending = .answered) throws -> [DatasetRow] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw InputError(
                file: path, "the file cannot be read", remedy: "Check the path and its permissions."
            )
        }
        do throws(InputError) {
            return try rows(parsing: Array(data), ending: ending)
        } catch {
            throw error.inFile(path)
        }
    }

    /// The rows of the text of a JSONL file.
    static func rows(
        parsing text: [UInt8], ending: Ending = .answered
    ) throws(InputError) -> [DatasetRow] {
        var rows: [DatasetRow] = []
        var first: (line: Int, shape: DatasetRow.Shape)?
        var line = 0
        var start = text.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        while start < text.count {
            line += 1
            var end = start
            while end < text.count, text[end] != UInt8(ascii: "\n") { end += 1 }
            defer { start = end + 1 }
            if isBlank(text, start..<end) { continue }
            let row = try row(text, start..<end, line: line, ending: ending)
            let shape = row.content.shape
            if let first, first.shape != shape {
                throw InputError(
                    line: line,
                    "the row has the shape \(shape), but rows since line \(first.line) have \(first.shape)",
                    remedy: "Nothing was read. Put each shape into a file of its own.")
            }
            if first == nil { first = (line, shape) }
            rows.append(row)
        }
        guard !rows.isEmpty else {
            throw InputError("the file has no rows", remedy: "Write one JSON object per line.")
        }
        return rows
    }

    private static func isBlank(_ text: [UInt8], _ range: Range<Int>) -> Bool {
        for index in range where text[index] != 0x20 && text[index] != 0x09 && text[index] != 0x0D {
            return false
        }
        return true
    }

    private static func row(
        _ text: [UInt8], _ range: Range<Int>, line: Int, ending: Ending
    ) throws(InputError) -> DatasetRow {
        var reader = JSONReader(text, in: range, line: line)
        do throws(InputError) {
            let value = try reader.value()
            try reader.finish()
            return try RowReader(line: line, ending: ending).row(value)
        } catch {
            guard error.remedy.isEmpty else { throw error }
            var copy = error
            copy.remedy = "Nothing was read. Write one JSON object per line."
            throw copy
        }
    }
}

extension DatasetRow {
    /// What the records of a file look like; one file holds one.
    public enum Shape: String, Sendable, Codable, CaseIterable, CustomStringConvertible {
        case chat, completion, text, tokens

        /// The shape as the members that make it.
        public var description: String {
            switch self {
            case .chat: "{\"messages\"}"
            case .completion: "{\"prompt\", \"completion\"}"
            case .text: "{\"text\"}"
            case .tokens: "{\"tokens\"}"
            }
        }
    }
}

extension DatasetRow.Content {
    public var shape: DatasetRow.Shape {
        switch self {
        case .chat: .chat
        case .completion: .completion
        case .text: .text
        case .tokens: .tokens
        }
    }
}

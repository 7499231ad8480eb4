public import FlywheelCore
import Foundation

/// Reads files of rows, all of one shape: JSONL, or JSON with one array of records.
public enum DatasetFile {
    /// What a row must hold.
    public enum Ending: Sendable {
        /// An answer to learn: conversations that end with one, completions, texts or tokens.
        case answered
        /// A question: rows to answer may be of any shape, with or without their answers.
        case open
        /// Whatever its shape asks for: rows to keep, and to examine with.
        case any
    }

    /// The rows of the file at `path`.
    ///
    /// Blank lines, a byte order mark and carriage returns at line ends are passed over. Throws
    /// `InputError` naming file, line and field of the first row that cannot be used.
    public static func rows(at path: String, ending: Ending = .answered) throws -> [DatasetRow] {
        try rows(at: [path], ending: ending)
    }

    /// The rows of several files, one after the other, as if they were one.
    public static func rows(at paths: [String], ending: Ending) throws -> [DatasetRow] {
        var collection = RowCollection(ending: ending)
        for path in paths {
            guard let data = FileManager.default.contents(atPath: path) else {
                throw InputError(
                    file: path, "the file cannot be read",
                    remedy: "Check the path and its permissions.")
            }
            try collection.add(Array(data), file: path)
        }
        return collection.rows
    }

    /// The rows of `text`, which came from what is called `file`.
    public static func rows(
        parsing text: [UInt8], file: String, ending: Ending
    ) throws(InputError) -> [DatasetRow] {
        var collection = RowCollection(ending: ending)
        try collection.add(text, file: file)
        return collection.rows
    }

    /// `rows` as JSONL, in the one form that is kept: equal rows give equal bytes.
    public static func jsonl(_ rows: [DatasetRow]) -> [UInt8] {
        var text: [UInt8] = []
        for (index, row) in rows.enumerated() {
            text += row.json(number: index + 1).canonical.utf8
            text.append(UInt8(ascii: "\n"))
        }
        return text
    }
}

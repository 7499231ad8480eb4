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
        try rows(of: paths.map { ($0, try text(at: $0)) }, ending: ending)
    }

    /// The bytes of the file at `path`.
    public static func text(at path: String) throws(InputError) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw InputError(
                file: path, "the file cannot be read", remedy: "Check the path and its permissions."
            )
        }
        return Array(data)
    }

    /// The rows of several texts, each called as a person would call its file.
    public static func rows(
        of files: [(name: String, text: [UInt8])], ending: Ending
    ) throws(InputError) -> [DatasetRow] {
        var collection = RowCollection(ending: ending)
        for (name, text) in files { try collection.add(text, file: name) }
        return collection.rows
    }

    /// `rows` as JSONL, in the one form that is kept: equal rows give equal bytes.
    public static func jsonl(_ rows: [DatasetRow]) -> [UInt8] {
        var writer = RowWriter()
        for (index, row) in rows.enumerated() { writer.write(row, number: index + 1) }
        return writer.text
    }
}

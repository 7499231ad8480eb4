import FlywheelCore

/// Rows on their way out of files, held to one shape.
struct RowCollection {
    let ending: DatasetFile.Ending
    private(set) var rows: [DatasetRow] = []
    private var first: (file: String, line: Int, shape: DatasetRow.Shape)?

    init(ending: DatasetFile.Ending) { self.ending = ending }

    /// Adds the rows of a file: of each line, or of the one array that it holds.
    mutating func add(_ text: [UInt8], file: String) throws(InputError) {
        let before = rows.count
        let start = text.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        let opening = text[start...].first { !Self.isBlank($0) && $0 != UInt8(ascii: "\n") }
        do throws(InputError) {
            if opening == UInt8(ascii: "[") {
                try addArray(text, from: start, file: file)
            } else {
                try addLines(text, from: start, file: file)
            }
            guard rows.count > before else {
                throw InputError("the file has no rows", remedy: "Write one JSON object per line.")
            }
        } catch {
            throw error.inFile(file)
        }
    }

    private mutating func addLines(
        _ text: [UInt8], from start: Int, file: String
    ) throws(InputError) {
        var line = 0
        var start = start
        while start < text.count {
            line += 1
            let end = text[start...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count
            defer { start = end + 1 }
            if text[start..<end].allSatisfy(Self.isBlank) { continue }
            var reader = JSONReader(text, in: start..<end, line: line)
            let value: JSONValue
            do throws(InputError) {
                value = try reader.value()
                try reader.finish()
            } catch {
                throw Self.unread(error, "Write one JSON object per line.")
            }
            try add(value, file: file, line: line)
        }
    }

    /// JSON as Hugging Face's instruct sets have it: a row is called by the line on which it begins.
    private mutating func addArray(
        _ text: [UInt8], from start: Int, file: String
    ) throws(InputError) {
        var reader = JSONReader(text, in: start..<text.count)
        var (line, counted) = (1, start)
        var values: [(line: Int, value: JSONValue)] = []
        do throws(InputError) {
            try reader.elements { (reader) throws(InputError) in
                _ = try reader.kind()
                line += text[counted..<reader.position].count { $0 == UInt8(ascii: "\n") }
                counted = reader.position
                values.append((line, try reader.value()))
            }
            try reader.finish()
        } catch {
            throw Self.unread(error, "Write one array of JSON objects, or one object per line.")
        }
        for (line, value) in values { try add(value, file: file, line: line) }
    }

    private mutating func add(
        _ value: JSONValue, file: String, line: Int
    ) throws(InputError) {
        let reader = RowReader(line: line, ending: ending)
        let row = try reader.row(value, number: rows.count + 1)
        let shape = row.content.shape
        if let first, form(first.shape) != form(shape) {
            let place = first.file == file ? "line \(first.line)" : "\(first.file):\(first.line)"
            let isUnanswered = first.shape == .chat && shape == .reference
            throw InputError(
                line: line, field: isUnanswered ? row.content.lastRole : nil,
                isUnanswered
                    ? "the last message is not the assistant's, as it is in rows since \(place)"
                    : "the row has the shape \(shape), but rows since \(place) have \(first.shape)",
                remedy: "Nothing was read. Put each shape into a file of its own.")
        }
        if first == nil { first = (file, line, shape) }
        rows.append(row)
    }

    /// Among rows to answer it is of no concern whether some have an answer.
    private func form(_ shape: DatasetRow.Shape) -> DatasetRow.Shape {
        ending == .open && (shape == .chat || shape == .completion) ? .reference : shape
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0D
    }

    private static func unread(_ error: InputError, _ remedy: String) -> InputError {
        guard error.remedy.isEmpty else { return error }
        var copy = error
        copy.remedy = "Nothing was read. " + remedy
        return copy
    }
}

extension DatasetRow.Content {
    /// The field that says who has the last word.
    fileprivate var lastRole: String? {
        if case .chat(let messages, _) = self {
            "messages[\(messages.count - 1)].role"
        } else {
            nil
        }
    }
}

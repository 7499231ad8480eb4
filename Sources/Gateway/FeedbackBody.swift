import FlywheelCore
import HTTPInterface
import HTTPTypes

/// The body of a request with feedback: one object, a list of them, or one a line.
enum FeedbackBody {
    /// An object, and where it stands for a person who looks for a mistake.
    struct Item {
        var text: JSONObjectText
        /// `line 3`, `[2]`; nil for the only one.
        var place: String?
    }

    /// Reads `body`; throws for what is no JSON, and for more items than `most`.
    static func items(_ body: [UInt8], most: Int) throws(APIError) -> [Item] {
        let items =
            switch body.first(where: { !" \t\r\n".utf8.contains($0) }) {
            case UInt8(ascii: "[")?: try list(body)
            case UInt8(ascii: "{")? where isLines(body): try lines(body)
            default: [Item(text: try object(body, nil), place: nil)]
            }
        guard !items.isEmpty else { throw .invalid("The list is empty. Nothing was kept.") }
        guard items.count <= most else {
            throw .invalid(
                "\(items.count) pieces of feedback, of at most \(most) in a request. Nothing was kept; "
                    + "send them in several.")
        }
        return items
    }

    private static func list(_ body: [UInt8]) throws(APIError) -> [Item] {
        var ranges: [Range<Int>] = []
        do throws(InputError) {
            var reader = JSONReader(body)
            try reader.elements { (reader) throws(InputError) in
                _ = try reader.kind()
                let start = reader.position
                try reader.skip()
                ranges.append(start..<reader.position)
            }
            try reader.finish()
        } catch { throw mistake(error, nil) }
        var items: [Item] = []
        for (index, range) in ranges.enumerated() {
            let place = "[\(index)]"
            items.append(Item(text: try object(Array(body[range]), place), place: place))
        }
        return items
    }

    private static func lines(_ body: [UInt8]) throws(APIError) -> [Item] {
        var items: [Item] = []
        for (index, line) in body.split(separator: 0x0A, omittingEmptySubsequences: false)
            .enumerated()
        where line.contains(where: { !" \t\r".utf8.contains($0) }) {
            let place = "line \(index + 1)"
            items.append(Item(text: try object(Array(line), place), place: place))
        }
        return items
    }

    /// Whether there are several lines and each is an object from its first byte to its last.
    private static func isLines(_ body: [UInt8]) -> Bool {
        let lines = body.split(separator: 0x0A).compactMap { line -> (UInt8, UInt8)? in
            let seen = line.filter { !" \t\r".utf8.contains($0) }
            guard let first = seen.first, let last = seen.last else { return nil }
            return (first, last)
        }
        return lines.count > 1
            && lines.allSatisfy { $0 == (UInt8(ascii: "{"), UInt8(ascii: "}")) }
    }

    private static func object(
        _ bytes: [UInt8], _ place: String?
    ) throws(APIError) -> JSONObjectText {
        do { return try JSONObjectText(bytes) } catch { throw mistake(error, place) }
    }

    private static func mistake(_ error: InputError, _ place: String?) -> APIError {
        let line = place == nil ? error.line.map { "line \($0): " } ?? "" : ""
        return .invalid("\(place.map { $0 + ": " } ?? line)\(error.problem). Nothing was kept.")
    }
}

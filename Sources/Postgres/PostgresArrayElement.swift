public import Foundation

/// What can be an element of a PostgreSQL array.
///
/// `UInt8` is one too, but an array of it is not an array to PostgreSQL: it is `bytea`.
public protocol PostgresArrayElement: Sendable {
    static var postgresArrayCast: String? { get }
    /// `elements` in PostgreSQL's text format.
    static func arrayText(_ elements: [Self]) -> String
    /// The elements written in `text`; nil when it is not an array of these.
    static func array(fromText text: String) -> [Self]?
}

extension PostgresArrayElement where Self: PostgresEncodable & PostgresDecodable {
    public static var postgresArrayCast: String? { nil }

    public static func arrayText(_ elements: [Self]) -> String {
        let cells = elements.map { element in
            guard let text = element.postgresText else { return "NULL" }
            return "\""
                + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        return "{" + cells.joined(separator: ",") + "}"
    }

    public static func array(fromText text: String) -> [Self]? {
        guard let cells = arrayCells(text) else { return nil }
        var elements: [Self] = []
        elements.reserveCapacity(cells.count)
        for cell in cells {
            guard let element = Self.decoded(fromCell: cell) else { return nil }
            elements.append(element)
        }
        return elements
    }
}

extension String: PostgresArrayElement {}
extension Int: PostgresArrayElement {}
extension Int32: PostgresArrayElement {}
extension Int64: PostgresArrayElement {}
extension Double: PostgresArrayElement {}
extension Float: PostgresArrayElement {}
extension Bool: PostgresArrayElement {}
extension UUID: PostgresArrayElement {}
extension Optional: PostgresArrayElement
where Wrapped: PostgresEncodable & PostgresDecodable {}

extension UInt8: PostgresArrayElement {
    public static var postgresArrayCast: String? { "bytea" }

    public static func arrayText(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var hex = Array("\\x".utf8)
        hex.reserveCapacity(2 + 2 * bytes.count)
        for byte in bytes {
            hex.append(digits[Int(byte >> 4)])
            hex.append(digits[Int(byte & 15)])
        }
        return String(decoding: hex, as: UTF8.self)
    }

    public static func array(fromText text: String) -> [UInt8]? {
        let hex = Array(text.utf8)
        guard hex.starts(with: "\\x".utf8), hex.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(hex.count / 2 - 1)
        for at in stride(from: 2, to: hex.count, by: 2) {
            guard let high = hexDigit(hex[at]), let low = hexDigit(hex[at + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}

private func hexDigit(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// The cells of a one-dimensional array in PostgreSQL's text format; nil cells are NULL.
func arrayCells(_ text: String) -> [String?]? {
    var bytes = text.utf8.dropFirst()[...]
    guard text.utf8.first == UInt8(ascii: "{"), bytes.popLast() == UInt8(ascii: "}") else {
        return nil
    }
    guard !bytes.isEmpty else { return [] }
    var cells: [String?] = []
    while true {
        guard let cell = arrayCell(&bytes) else { return nil }
        cells.append(cell)
        guard let separator = bytes.popFirst() else { return cells }
        guard separator == UInt8(ascii: ",") else { return nil }
    }
}

/// Takes one cell off the front of `bytes`; nil where there is none.
private func arrayCell(_ bytes: inout Substring.UTF8View) -> String?? {
    var cell: [UInt8] = []
    let isQuoted = bytes.first == UInt8(ascii: "\"")
    if isQuoted { bytes.removeFirst() }
    while let byte = bytes.first {
        if isQuoted ? byte == UInt8(ascii: "\"") : byte == UInt8(ascii: ",") { break }
        if !isQuoted, byte == UInt8(ascii: "{") { return nil }
        bytes.removeFirst()
        if byte == UInt8(ascii: "\\") {
            guard let escaped = bytes.popFirst() else { return nil }
            cell.append(escaped)
        } else {
            cell.append(byte)
        }
    }
    if isQuoted, bytes.popFirst() == nil { return nil }
    let text = String(decoding: cell, as: UTF8.self)
    return !isQuoted && text == "NULL" ? .some(nil) : .some(text)
}

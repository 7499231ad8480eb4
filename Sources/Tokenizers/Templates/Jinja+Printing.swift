import Foundation

extension Jinja.Renderer {
    /// A value as Python's `str` writes it.
    func string(_ value: Jinja.Value) throws -> Jinja.Text {
        switch value {
        case .text(let text): return text
        case .undefined: return Jinja.Text()
        default: return try representation(value)
        }
    }

    /// A value as Python's `repr` writes it.
    private func representation(_ value: Jinja.Value) throws -> Jinja.Text {
        var result = Jinja.Text()
        switch value {
        case .undefined: result.append("Undefined")
        case .none: result.append("None")
        case .boolean(let value): result.append(value ? "True" : "False")
        case .integer(let value): result = Jinja.Text(String(value))
        case .number(let value): result = Jinja.Text(value.description)
        case .text(let text): result = quoted(text)
        case .list(let elements):
            result.append("[")
            try append(elements, to: &result)
            result.append("]")
        case .tuple(let elements):
            result.append("(")
            try append(elements, to: &result)
            result.append(elements.count == 1 ? ",)" : ")")
        case .mapping(let mapping):
            result.append("{")
            for (index, entry) in mapping.entries.enumerated() {
                if index > 0 { result.append(", ") }
                result.append(quoted(entry.key))
                result.append(": ")
                result.append(try representation(entry.value))
            }
            result.append("}")
        case .namespace, .loop, .macro, .function:
            throw failure("\(value.kind) cannot be written out")
        }
        try spend(result.bytes.count)
        return result
    }

    private func append(_ elements: [Jinja.Value], to result: inout Jinja.Text) throws {
        for (index, element) in elements.enumerated() {
            if index > 0 { result.append(", ") }
            result.append(try representation(element))
        }
    }

    private func quoted(_ text: Jinja.Text) -> Jinja.Text {
        let usesDouble =
            text.bytes.contains(UInt8(ascii: "'")) && !text.bytes.contains(UInt8(ascii: "\""))
        let quote: Unicode.Scalar = usesDouble ? "\"" : "'"
        var result = Jinja.Text(String(quote))
        result.append(
            text.mapScalars { scalar in
                switch scalar {
                case quote, "\\": "\\" + String(scalar)
                case "\n": "\\n"
                case "\r": "\\r"
                case "\t": "\\t"
                default: scalar.isPrintable ? String(scalar) : scalar.pythonEscape
                }
            })
        result.append(Jinja.Text(String(quote)))
        return result
    }
}

extension Unicode.Scalar {
    /// Whether Python's `repr` shows the character itself.
    fileprivate var isPrintable: Bool {
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
            .paragraphSeparator:
            false
        case .spaceSeparator: self == " "
        default: true
        }
    }

    fileprivate var pythonEscape: String {
        switch value {
        case ..<0x100: "\\x" + hexadecimal(2)
        case ..<0x10000: "\\u" + hexadecimal(4)
        default: "\\U" + hexadecimal(8)
        }
    }

    fileprivate func hexadecimal(_ digits: Int) -> String {
        let written = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - written.count)) + written
    }
}

// MARK: JSON

extension Jinja {
    /// How `tojson` writes: as Python's `json.dumps` with `ensure_ascii=False`.
    struct JSONStyle {
        /// What one level of nesting is indented by; nil for one line.
        var indent: Text?
        var itemSeparator = Text(", ")
        var keySeparator = Text(": ")
        var sortsKeys = false
        var isASCII = false
    }
}

extension Jinja.Renderer {
    func json(_ value: Jinja.Value, _ style: Jinja.JSONStyle, level: Int = 0) throws -> Jinja.Text {
        var result = Jinja.Text()
        switch value {
        case .none: result.append("null")
        case .boolean(let value): result.append(value ? "true" : "false")
        case .integer(let value): result = Jinja.Text(String(value))
        case .number(let value):
            let written = value.isNaN ? "NaN" : value.isInfinite ? "Infinity" : value.description
            result = Jinja.Text(value == -.infinity ? "-Infinity" : written)
        case .text(let text): result = escaped(text, style)
        case .list(let elements), .tuple(let elements):
            try nest("[", "]", elements, style, level, into: &result) { element in
                try json(element, style, level: level + 1)
            }
        case .mapping(let mapping):
            let entries =
                style.sortsKeys
                ? mapping.entries.sorted { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }
                : mapping.entries
            try nest("{", "}", entries, style, level, into: &result) { entry in
                var line = escaped(entry.key, style)
                line.append(style.keySeparator)
                line.append(try json(entry.value, style, level: level + 1))
                return line
            }
        case .undefined, .namespace, .loop, .macro, .function:
            throw failure("tojson cannot write \(value.kind)")
        }
        try spend(result.bytes.count)
        return result
    }

    private func nest<Element>(
        _ open: Jinja.Text, _ close: Jinja.Text, _ elements: [Element],
        _ style: Jinja.JSONStyle, _ level: Int, into result: inout Jinja.Text,
        _ write: (Element) throws -> Jinja.Text
    ) throws {
        result.append(open)
        func breakLine(_ level: Int) {
            guard let indent = style.indent, !elements.isEmpty else { return }
            result.append("\n")
            for _ in 0..<level { result.append(indent) }
        }
        for (index, element) in elements.enumerated() {
            if index > 0 { result.append(style.itemSeparator) }
            breakLine(level + 1)
            result.append(try write(element))
        }
        breakLine(level)
        result.append(close)
    }

    private func escaped(_ text: Jinja.Text, _ style: Jinja.JSONStyle) -> Jinja.Text {
        var result = Jinja.Text("\"")
        let needsEscape = text.bytes.contains {
            $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\")
                || (style.isASCII && $0 >= 0x7F)
        }
        result.append(
            needsEscape ? text.mapScalars { $0.jsonEscape(isASCII: style.isASCII) } : text)
        result.append("\"")
        return result
    }
}

extension Unicode.Scalar {
    fileprivate func jsonEscape(isASCII: Bool) -> String {
        switch self {
        case "\"": "\\\""
        case "\\": "\\\\"
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        case "\u{8}": "\\b"
        case "\u{C}": "\\f"
        case _ where value < 0x20: "\\u" + hexadecimal(4)
        case _ where isASCII && value > 0x7E:
            String(self).utf16.map {
                "\\u" + (Unicode.Scalar($0)?.hexadecimal(4) ?? String($0, radix: 16))
            }
            .joined()
        default: String(self)
        }
    }
}

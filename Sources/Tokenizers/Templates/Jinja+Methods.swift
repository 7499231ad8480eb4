import FlywheelCore

extension Jinja {
    /// The methods of texts, lists and mappings.
    enum Method: String, Sendable, CaseIterable {
        case capitalize, count, endswith, find, get, index, isalnum, isalpha, isdigit, islower
        case isspace, isupper, items, join, keys, lower, lstrip, partition, removeprefix
        case removesuffix, replace, rfind, rpartition, rsplit, rstrip, split, splitlines
        case startswith, strip, title, upper, values

        var isOfMappings: Bool { [.get, .items, .keys, .values].contains(self) }
    }
}

extension Jinja.Renderer {
    private typealias Value = Jinja.Value
    private typealias Text = Jinja.Text

    func call(
        _ method: Jinja.Method, of value: Jinja.Value, _ given: Jinja.Given
    ) throws -> Jinja.Value {
        let what = method.rawValue
        switch value {
        case .text(let text):
            if let result = try call(method, of: text, given) { return result }
        case .mapping(let mapping):
            switch method {
            case .items:
                return .list(mapping.entries.map { .tuple([.text($0.key), $0.value]) })
            case .keys: return .list(mapping.entries.map { .text($0.key) })
            case .values: return .list(mapping.entries.map(\.value))
            case .get:
                let arguments = try given.bound(to: ["key", "default"], of: what)
                let otherwise = arguments[1] ?? .none
                guard case .text(let key) = arguments[0] else { return otherwise }
                return mapping[key] ?? otherwise
            default: break
            }
        case .list(let elements), .tuple(let elements):
            guard let wanted = try given.bound(to: ["value"], of: what)[0] else { break }
            if method == .count { return .integer(elements.count { equal($0, wanted) }) }
            if method == .index {
                guard let index = elements.firstIndex(where: { equal($0, wanted) }) else {
                    throw failure("what index() looks for is not in the list")
                }
                return .integer(index)
            }
        case .undefined(let what):
            throw failure("\(what) is undefined, so it has no method \(method.rawValue)()")
        default: break
        }
        throw failure("\(value.kind) has no method \(what)()")
    }

    private func call(
        _ method: Jinja.Method, of text: Text, _ given: Jinja.Given
    ) throws -> Value? {
        switch method {
        case .lower, .upper, .capitalize, .title:
            return .text(cased(text, method))
        case .strip, .lstrip, .rstrip:
            let characters = try given.bound(to: ["chars"], of: method.rawValue)[0]
            return .text(
                try stripped(text, characters, left: method != .rstrip, right: method != .lstrip))
        case .split, .rsplit: return .list(try split(text, method, given).map { .text($0) })
        case .splitlines: return .list(lines(of: text).map { .text($0) })
        case .partition, .rpartition: return .tuple(try partition(text, method, given))
        case .replace: return .text(try replace(in: text, given))
        case .join:
            return .text(try join(try given.bound(to: ["items"], of: "join()")[0] ?? .none, text))
        case .startswith, .endswith: return .boolean(try matches(text, method, given))
        case .removeprefix, .removesuffix:
            let part = try self.text(given.bound(to: ["part"], of: method.rawValue)[0], method)
            let isThere = !part.isEmpty && Self.has(text, part, atEnd: method == .removesuffix)
            guard isThere else { return .text(text) }
            let rest = text.bytes.count - part.bytes.count
            return .text(
                method == .removesuffix ? text[0..<rest] : text[part.bytes.count..<text.bytes.count]
            )
        case .find, .rfind, .index, .count:
            let part = try self.text(given.bound(to: ["part"], of: method.rawValue)[0], method)
            return .integer(try search(text, part, method))
        case .isalnum: return .boolean(all(text) { $0.properties.isAlphabetic || $0.isDigit })
        case .isalpha: return .boolean(all(text) { $0.properties.isAlphabetic })
        case .isdigit: return .boolean(all(text) { $0.isDigit })
        case .isspace: return .boolean(all(text) { $0.isBlank })
        case .islower: return .boolean(isCased(text, upper: false))
        case .isupper: return .boolean(isCased(text, upper: true))
        case .get, .items, .keys, .values: return nil
        }
    }

    private func text(_ value: Value?, _ method: Jinja.Method) throws -> Text {
        guard case .text(let text) = value else {
            throw failure("\(method.rawValue)() takes a text, not \(value?.kind ?? "nothing")")
        }
        return text
    }

    // MARK: Characters

    private func all(_ text: Text, _ condition: (Unicode.Scalar) -> Bool) -> Bool {
        !text.isEmpty && text.string.unicodeScalars.allSatisfy(condition)
    }

    func isCased(_ text: Jinja.Text, upper: Bool) -> Bool {
        let scalars = text.string.unicodeScalars
        let hasCase = scalars.contains { $0.properties.isLowercase || $0.properties.isUppercase }
        return hasCase
            && !scalars.contains {
                upper ? $0.properties.isLowercase : $0.properties.isUppercase
            }
    }

    func cased(_ text: Jinja.Text, _ method: Jinja.Method) -> Jinja.Text {
        var isInWord = false
        return text.mapScalars { scalar in
            defer {
                isInWord = method == .capitalize || (method == .title && scalar.properties.isCased)
            }
            switch method {
            case .lower: return scalar.properties.lowercaseMapping
            case .upper: return scalar.properties.uppercaseMapping
            default:
                return isInWord
                    ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
            }
        }
    }

    func stripped(
        _ text: Jinja.Text, _ characters: Jinja.Value?, left: Bool = true, right: Bool = true
    ) throws -> Jinja.Text {
        switch characters {
        case nil, .some(.none):
            return text.stripped(left: left, right: right) { $0.isBlank }
        case .text(let set):
            let scalars = Set(set.string.unicodeScalars)
            return text.stripped(left: left, right: right) { scalars.contains($0) }
        case let other?: throw failure("a text is stripped of a text, not of \(other.kind)")
        }
    }

    // MARK: Parts

    private func split(
        _ text: Text, _ method: Jinja.Method, _ given: Jinja.Given
    ) throws -> [Text] {
        let arguments = try given.bound(to: ["sep", "maxsplit"], of: method.rawValue)
        let most = arguments[1]?.integer ?? -1
        var left = most < 0 ? Int.max : most
        guard case .text(let separator) = arguments[0] else {
            return try splitAtBlanks(text, left, fromEnd: method == .rsplit)
        }
        guard !separator.isEmpty else { throw failure("a text cannot be split at an empty one") }
        var parts: [Text] = []
        if method == .rsplit {
            var end = text.bytes.count
            while left > 0, let at = text.findLast(separator.bytes, in: 0..<end) {
                parts.append(text[at + separator.bytes.count..<end])
                (end, left) = (at, left - 1)
            }
            return [text[0..<end]] + parts.reversed()
        }
        var start = 0
        while left > 0, let at = text.find(separator.bytes, in: start..<text.bytes.count) {
            parts.append(text[start..<at])
            (start, left) = (at + separator.bytes.count, left - 1)
        }
        return parts + [text[start..<text.bytes.count]]
    }

    /// `split()` without a separator: at stretches of blanks, of which none are left at the ends.
    private func splitAtBlanks(_ text: Text, _ most: Int, fromEnd: Bool) throws -> [Text] {
        let places = text.boundaries
        var words: [Range<Int>] = []
        var start: Int?
        for (place, next) in zip(places, places.dropFirst()) {
            let isBlank = text[place..<next].string.unicodeScalars.allSatisfy(\.isBlank)
            if isBlank, let first = start {
                words.append(first..<place)
                start = nil
            } else if !isBlank, start == nil {
                start = place
            }
        }
        if let start { words.append(start..<text.bytes.count) }
        guard words.count > most else { return words.map { text[$0] } }
        // What is not split keeps its blanks on the other side.
        if fromEnd {
            let end = words[words.count - 1 - most].upperBound
            return [text[0..<end]] + words.suffix(most).map { text[$0] }
        }
        let rest = text[words[most].lowerBound..<text.bytes.count]
        return words.prefix(most).map { text[$0] } + [rest]
    }

    func lines(of text: Jinja.Text) -> [Jinja.Text] {
        var lines: [Jinja.Text] = []
        var (start, index) = (0, 0)
        while index < text.bytes.count {
            let byte = text.bytes[index]
            guard byte == 0x0A || byte == 0x0D else {
                index += 1
                continue
            }
            lines.append(text[start..<index])
            let isPair =
                byte == 0x0D && index + 1 < text.bytes.count && text.bytes[index + 1] == 0x0A
            index += isPair ? 2 : 1
            start = index
        }
        return start < text.bytes.count ? lines + [text[start..<text.bytes.count]] : lines
    }

    private func partition(
        _ text: Text, _ method: Jinja.Method, _ given: Jinja.Given
    ) throws -> [Value] {
        let separator = try self.text(given.bound(to: ["sep"], of: method.rawValue)[0], method)
        guard !separator.isEmpty else { throw failure("a text cannot be split at an empty one") }
        let whole = 0..<text.bytes.count
        let isLast = method == .rpartition
        let found =
            isLast
            ? text.findLast(separator.bytes, in: whole) : text.find(separator.bytes, in: whole)
        guard let at = found else {
            let empty = Value.text(.init())
            return isLast ? [empty, empty, .text(text)] : [.text(text), empty, empty]
        }
        let end = at + separator.bytes.count
        return [.text(text[0..<at]), .text(text[at..<end]), .text(text[end..<text.bytes.count])]
    }

    private func replace(in text: Text, _ given: Jinja.Given) throws -> Text {
        let arguments = try given.bound(to: ["old", "new", "count"], of: "replace")
        return try replaced(
            text, try self.text(arguments[0], .replace), try self.text(arguments[1], .replace),
            arguments[2]?.integer ?? -1)
    }

    func replaced(
        _ text: Jinja.Text, _ old: Jinja.Text, _ new: Jinja.Text, _ most: Int
    ) throws -> Jinja.Text {
        var result = Text()
        var start = 0
        var left = most < 0 ? Int.max : most
        if old.isEmpty {
            for character in text.characters where left > 0 {
                try spend(new.bytes.count)
                result.append(new)
                result.append(character)
                (start, left) = (start + character.bytes.count, left - 1)
            }
            if left > 0 { result.append(new) }
        }
        while !old.isEmpty, left > 0,
            let at = text.find(old.bytes, in: start..<text.bytes.count)
        {
            try spend(at - start + new.bytes.count)
            result.append(text[start..<at])
            result.append(new)
            (start, left) = (at + old.bytes.count, left - 1)
        }
        guard start > 0 || !result.isEmpty else { return text }
        result.append(text[start..<text.bytes.count])
        return result
    }

    func join(_ items: Jinja.Value, _ separator: Jinja.Text) throws -> Jinja.Text {
        var result = Text()
        for (index, item) in try elements(of: items).enumerated() {
            if index > 0 { result.append(separator) }
            result.append(try string(item))
            try spend(separator.bytes.count + 16)
        }
        try spend(result.bytes.count)
        return result
    }

    // MARK: Looking for

    private static func has(_ text: Text, _ part: Text, atEnd: Bool) -> Bool {
        atEnd
            ? text.bytes.suffix(part.bytes.count).elementsEqual(part.bytes)
            : text.bytes.starts(with: part.bytes)
    }

    private func matches(
        _ text: Text, _ method: Jinja.Method, _ given: Jinja.Given
    ) throws -> Bool {
        let wanted = try given.bound(to: ["part"], of: method.rawValue)[0]
        return try (wanted?.elements ?? [wanted ?? .none]).contains { part in
            Self.has(text, try self.text(part, method), atEnd: method == .endswith)
        }
    }

    private func search(_ text: Text, _ part: Text, _ method: Jinja.Method) throws -> Int {
        let whole = 0..<text.bytes.count
        if method == .count {
            guard !part.isEmpty else { return text.count + 1 }
            var (start, count) = (0, 0)
            while let at = text.find(part.bytes, in: start..<text.bytes.count) {
                (start, count) = (at + part.bytes.count, count + 1)
            }
            return count
        }
        let found =
            method == .rfind
            ? text.findLast(part.bytes, in: whole) : text.find(part.bytes, in: whole)
        guard let found else {
            if method != .index { return -1 }
            throw failure("what index() looks for is not in the text")
        }
        return text[0..<found].count
    }
}

extension Unicode.Scalar {
    fileprivate var isDigit: Bool {
        properties.numericType == .decimal || properties.numericType == .digit
    }
}

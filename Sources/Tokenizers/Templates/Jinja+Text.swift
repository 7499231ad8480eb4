extension Jinja {
    /// A text that remembers which of its bytes came from the conversation.
    ///
    /// All that is done with texts keeps this, so that in the end only what the template's own
    /// letters spell can be a special token.
    struct Text: Sendable {
        /// Bytes of the conversation, not of the template.
        struct Run: Sendable, Equatable {
            var range: Range<Int>
            /// The index of their message; `elsewhere` for tools.
            var origin: Int

            static let elsewhere = -1
        }

        /// UTF-8, whole characters.
        private(set) var bytes: [UInt8] = []
        /// In order, apart, none empty.
        private(set) var runs: [Run] = []

        init() {}

        /// A text of the template's.
        init(_ literal: String) { bytes = Array(literal.utf8) }

        init(_ literal: some Sequence<UInt8>) { bytes = Array(literal) }

        /// A text of the conversation's.
        init(_ typed: String, from origin: Int) {
            bytes = Array(typed.utf8)
            if !bytes.isEmpty { runs = [Run(range: bytes.indices, origin: origin)] }
        }

        var isEmpty: Bool { bytes.isEmpty }
        var string: String { String(decoding: bytes, as: UTF8.self) }

        mutating func append(_ other: Text) {
            let start = bytes.count
            bytes += other.bytes
            for run in other.runs {
                mark(run.range.lowerBound + start..<run.range.upperBound + start, run.origin)
            }
        }

        private mutating func mark(_ range: Range<Int>, _ origin: Int) {
            if let last = runs.indices.last, runs[last].origin == origin,
                runs[last].range.upperBound == range.lowerBound
            {
                runs[last].range = runs[last].range.lowerBound..<range.upperBound
            } else {
                runs.append(Run(range: range, origin: origin))
            }
        }

        /// The bytes of `range`, which begins and ends between characters.
        subscript(range: Range<Int>) -> Text {
            var part = Text(bytes[range])
            for run in runs where run.range.overlaps(range) {
                let kept = run.range.clamped(to: range)
                part.mark(
                    kept.lowerBound - range.lowerBound..<kept.upperBound - range.lowerBound,
                    run.origin)
            }
            return part
        }

        /// Each stretch of one origin, put through `transform`; what comes of it has the same origin.
        func mapSegments(_ transform: (ArraySlice<UInt8>) throws -> [UInt8]) rethrows -> Text {
            var result = Text()
            var done = 0
            func add(_ range: Range<Int>, _ origin: Int?) throws {
                guard !range.isEmpty else { return }
                let start = result.bytes.count
                result.bytes += try transform(bytes[range])
                if let origin, start < result.bytes.count {
                    result.mark(start..<result.bytes.count, origin)
                }
            }
            for run in runs {
                try add(done..<run.range.lowerBound, nil)
                try add(run.range, run.origin)
                done = run.range.upperBound
            }
            try add(done..<bytes.count, nil)
            return result
        }

        /// The same for each character.
        func mapScalars(_ transform: (Unicode.Scalar) throws -> String) rethrows -> Text {
            try mapSegments { segment in
                var mapped: [UInt8] = []
                for scalar in String(decoding: segment, as: UTF8.self).unicodeScalars {
                    mapped += try transform(scalar).utf8
                }
                return mapped
            }
        }
    }
}

extension Jinja.Text: Hashable {
    /// Texts are equal when they read the same, wherever they came from.
    static func == (a: Self, b: Self) -> Bool { a.bytes == b.bytes }
    func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}

extension Jinja.Text {
    /// Where `needle` first occurs in `range`.
    func find(_ needle: [UInt8], in range: Range<Int>) -> Int? {
        guard let first = needle.first else { return range.lowerBound }
        var index = range.lowerBound
        let last = range.upperBound - needle.count
        while index <= last {
            if bytes[index] == first, bytes[index..<index + needle.count].elementsEqual(needle) {
                return index
            }
            index += 1
        }
        return nil
    }

    /// Where `needle` last occurs in `range`.
    func findLast(_ needle: [UInt8], in range: Range<Int>) -> Int? {
        var index = range.upperBound - needle.count
        while index >= range.lowerBound {
            if bytes[index..<index + needle.count].elementsEqual(needle) { return index }
            index -= 1
        }
        return nil
    }

    func contains(_ needle: Self) -> Bool { find(needle.bytes, in: bytes.indices) != nil }

    /// Where characters begin, and the end.
    var boundaries: [Int] {
        bytes.indices.filter { bytes[$0] & 0xC0 != 0x80 } + [bytes.count]
    }

    /// How many characters (code points, as Python counts) there are.
    var count: Int { bytes.count { $0 & 0xC0 != 0x80 } }

    /// The characters, each a text.
    var characters: [Self] {
        let places = boundaries
        return zip(places, places.dropFirst()).map { self[$0..<$1] }
    }

    /// Without what satisfies `isStripped` at its ends.
    func stripped(
        left: Bool = true, right: Bool = true, of isStripped: (Unicode.Scalar) -> Bool
    ) -> Self {
        var (start, end) = (0, bytes.count)
        while left, start < end {
            var next = start + 1
            while next < end, bytes[next] & 0xC0 == 0x80 { next += 1 }
            guard isStripped(scalar(start..<next)) else { break }
            start = next
        }
        while right, start < end {
            var first = end - 1
            while first > start, bytes[first] & 0xC0 == 0x80 { first -= 1 }
            guard isStripped(scalar(first..<end)) else { break }
            end = first
        }
        return start == 0 && end == bytes.count ? self : self[start..<end]
    }

    private func scalar(_ range: Range<Int>) -> Unicode.Scalar {
        if range.count == 1 { return Unicode.Scalar(bytes[range.lowerBound]) }
        return String(decoding: bytes[range], as: UTF8.self).unicodeScalars.first ?? "\u{FFFD}"
    }
}

extension Unicode.Scalar {
    /// What Python's `str.isspace` holds for blank.
    var isBlank: Bool {
        switch value {
        case 0x20, 0x09...0x0D, 0x1C...0x1F: true
        case ..<0x80: false
        default: properties.isWhitespace
        }
    }
}

import FlywheelCore

extension TokenizerFile {
    /// What is done to texts first, from `normalizer`.
    func normalizer() throws(InputError) -> Normalizer? {
        var steps: [Normalizer.Step] = []
        for (field, type, value) in try self.steps(of: "normalizer", elements: "normalizers") {
            switch type {
            case "Prepend":
                steps.append(.prepend(Array(try Self.text(value, "prepend", field).utf8)))
            case "Replace":
                let content = Array(try Self.text(value, "content", field).utf8)
                steps.append(.replace(try Self.pattern(value, field), by: content))
            case "Lowercase": steps.append(.lowercase)
            case "StripAccents": steps.append(.stripAccents)
            case "Strip":
                steps.append(
                    .strip(
                        left: value["strip_left"]?.boolean ?? true,
                        right: value["strip_right"]?.boolean ?? true))
            default:
                guard let form = Normalizer.Form(rawValue: type) else {
                    throw Self.unsupported("\(field).type", "\(type) is not supported")
                }
                steps.append(.form(form))
            }
        }
        return steps.isEmpty ? nil : Normalizer(steps: steps)
    }

    /// How texts are cut, from `pre_tokenizer`, and whether the pieces are read as bytes.
    func splitter() throws(InputError) -> (Splitter, isBytes: Bool) {
        let steps = try self.steps(of: "pre_tokenizer", elements: "pretokenizers")
        var stages: [Splitter.Stage] = []
        for (index, (field, type, value)) in steps.enumerated() {
            switch type {
            case "ByteLevel":
                guard index == steps.count - 1 else {
                    throw Self.unsupported(field, "something follows the step that maps bytes")
                }
                if value["add_prefix_space"]?.boolean ?? true { stages.append(.blankBefore) }
                if value["use_regex"]?.boolean ?? true { stages.append(.gpt2) }
                return (Splitter(stages: stages), true)
            case "Digits":
                let isIndividual = value["individual_digits"]?.boolean ?? false
                stages.append(.digits(isIndividual: isIndividual))
            case "Punctuation":
                stages.append(.pattern(.punctuation, try behavior(value, field), isInverted: false))
            case "Whitespace":
                // `\w+|[^\w\s]+` in Rust's syntax, whose `\w` has the two that join, too.
                let words = try ExpressionParser.compile(
                    #"[\w\u200C\u200D]+|[^\w\s\u200C\u200D]+"#)
                stages.append(.pattern(.expression(words), .removed, isInverted: true))
            case "WhitespaceSplit": stages.append(.pattern(.blank, .removed, isInverted: false))
            case "Split": stages.append(try split(value, field))
            case "Metaspace": stages.append(try metaspace(value, field))
            default: throw Self.unsupported("\(field).type", "\(type) is not supported")
            }
        }
        return (Splitter(stages: stages), false)
    }

    private func split(_ value: JSONValue, _ field: String) throws(InputError) -> Splitter.Stage {
        let behavior = try behavior(value, field)
        let isInverted = value["invert"]?.boolean ?? false
        // Both cut at the matches and keep all of the text, which every known expression covers.
        let isPlain =
            (behavior, isInverted) == (.isolated, false)
            || (behavior, isInverted) == (.removed, true)
        if isPlain, let text = value["pattern"]?["Regex"]?.string,
            let stage = Splitter.knownExpressions[text]
        {
            return stage
        }
        return .pattern(try Self.pattern(value, field), behavior, isInverted: isInverted)
    }

    private func behavior(
        _ value: JSONValue, _ field: String
    ) throws(InputError) -> Splitter.Behavior {
        guard let written = value["behavior"], written != .null else { return .isolated }
        guard let behavior = written.string.flatMap({ Splitter.Behavior(rawValue: $0) }) else {
            throw Self.unsupported("\(field).behavior", "\(written.canonical) is not supported")
        }
        return behavior
    }

    private func metaspace(_ value: JSONValue, _ field: String) throws(InputError) -> Splitter.Stage
    {
        let mark = try Self.text(value, "replacement", field)
        // Files of older releases say only whether.
        let isAdded = value["add_prefix_space"]?.boolean ?? true
        let scheme = value["prepend_scheme"]?.string ?? (isAdded ? "always" : "never")
        guard let prefix = Splitter.Prefix(rawValue: scheme) else {
            throw Self.unsupported("\(field).prepend_scheme", "\(scheme) is not supported")
        }
        return .metaspace(
            mark: Array(mark.utf8), prefix, splits: value["split"]?.boolean ?? true)
    }

    /// A text that a step cannot do without.
    static func text(
        _ value: JSONValue, _ name: String, _ field: String
    ) throws(InputError) -> String {
        guard let text = value[name]?.string else {
            throw malformed("\(field).\(name)", "not a text")
        }
        return text
    }
}

extension Pattern {
    /// What Rust's `is_ascii_punctuation` takes, and punctuation as Unicode 8 had it, which is that of the
    /// crate `unicode_categories`: two of its characters have become symbols and marks since.
    fileprivate static let punctuation = Pattern.character(
        CharacterSet(
            .any([
                .range(0x21...0x2F), .range(0x3A...0x40), .range(0x5B...0x60), .range(0x7B...0x7E),
                .all([.categories(.punctuation), .known(version: 8)]), .character(0x166D),
                .character(0x111C9),
            ])))

    fileprivate static let blank = Pattern.character(CharacterSet(.blank))
}

public import FlywheelCore
import Foundation

/// What a teacher thought at each token of its answer: the most probable tokens there.
///
/// As JSON: `{"tokenizer": DIGEST, "tokens": [{"t": 17, "p": -0.1, "top": [[17, -0.1], [4, -2.5]]}]}`,
/// tokens by id where the teacher is one of ours; without `tokenizer`, by text, or by bytes where the
/// text would not have them. `top` is the most probable first. Log-probabilities are natural, of the
/// whole vocabulary, to four decimals; what `top` leaves is the tail's mass, never spread over `top`.
public struct TeacherTokens: Sendable, Equatable {
    public enum Name: Hashable, Sendable {
        case id(Int32)
        case bytes([UInt8])
    }

    public struct Choice: Sendable, Equatable {
        public var name: Name
        /// In nats, 0 or less.
        public var logProbability: Double

        public init(_ name: Name, _ logProbability: Double) {
            self.name = name
            // Four decimals: what fp16 keeps, in letters that JSON reads back as the same number.
            self.logProbability = min(0, (logProbability * 10_000).rounded() / 10_000)
        }
    }

    public struct Token: Sendable, Equatable {
        /// What the answer has here.
        public var chosen: Choice
        public var top: [Choice]

        public init(chosen: Choice, top: [Choice]) {
            self.chosen = chosen
            self.top = top
        }
    }

    /// The SHA-256 of the teacher's `tokenizer.json`; nil where tokens are texts.
    public var tokenizer: Digest?
    public var tokens: [Token]

    public init(tokenizer: Digest?, tokens: [Token]) {
        self.tokenizer = tokenizer
        self.tokens = tokens
    }
}

extension TeacherTokens {
    /// Reads `choices[0].logprobs` of a chat completion; nil where it has none.
    public init?(openAI logprobs: JSONValue?) {
        guard let content = logprobs?["content"]?.array, !content.isEmpty else { return nil }
        var tokens: [Token] = []
        for entry in content {
            guard let chosen = Choice(openAI: entry) else { return nil }
            let top = (entry["top_logprobs"]?.array ?? []).compactMap(Choice.init(openAI:))
            tokens.append(Token(chosen: chosen, top: top))
        }
        self.init(tokenizer: nil, tokens: tokens)
    }

    /// Reads what `json` wrote; nil for anything else.
    public init?(_ json: JSONValue?) {
        guard let json, let entries = json["tokens"]?.array else { return nil }
        var tokens: [Token] = []
        for entry in entries {
            guard let name = entry["t"].flatMap(Name.init), let number = entry["p"]?.number else {
                return nil
            }
            var top: [Choice] = []
            for pair in entry["top"]?.array ?? [] {
                guard let name = pair[0].flatMap(Name.init), let number = pair[1]?.number else {
                    return nil
                }
                top.append(Choice(name, number))
            }
            tokens.append(Token(chosen: Choice(name, number), top: top))
        }
        self.init(
            tokenizer: json["tokenizer"]?.string.flatMap { Digest(hex: $0) }, tokens: tokens)
    }

    public var json: JSONValue {
        var members: [String: JSONValue] = [
            "tokens": .array(
                tokens.map { token in
                    [
                        "t": token.chosen.name.json, "p": .number(token.chosen.logProbability),
                        "top": .array(
                            token.top.map { [$0.name.json, .number($0.logProbability)] }),
                    ]
                })
        ]
        members["tokenizer"] = tokenizer.map { .string($0.hex) }
        return .object(members)
    }
}

extension TeacherTokens.Choice {
    /// Reads `{"token", "logprob", "bytes"}`.
    fileprivate init?(openAI json: JSONValue) {
        guard let text = json["token"]?.string, let number = json["logprob"]?.number,
            !number.isNaN
        else { return nil }
        let bytes = json["bytes"]?.array?.compactMap { $0.integer.flatMap(UInt8.init(exactly:)) }
        self.init(.bytes(bytes.flatMap { $0.isEmpty ? nil : $0 } ?? Array(text.utf8)), number)
    }
}

extension TeacherTokens.Name {
    fileprivate init?(_ json: JSONValue) {
        if let text = json.string {
            self = .bytes(Array(text.utf8))
        } else if let bytes = json.array {
            self = .bytes(bytes.compactMap { $0.integer.flatMap(UInt8.init(exactly:)) })
        } else if let id = json.integer.flatMap(Int32.init(exactly:)) {
            self = .id(id)
        } else {
            return nil
        }
    }

    fileprivate var json: JSONValue {
        switch self {
        case .id(let id): .integer(Int64(id))
        case .bytes(let bytes):
            String(validating: bytes, as: UTF8.self).map { .string($0) }
                ?? .array(bytes.map { .integer(Int64($0)) })
        }
    }
}

import FlywheelCore
public import Tokenizers

/// What a teacher thought in the place of one token, in the student's ids.
public struct TaughtToken: Sendable, Equatable {
    public var tokens: [Int32]
    /// Natural, of the teacher's whole vocabulary.
    public var logProbabilities: [Float]

    public init(tokens: [Int32], logProbabilities: [Float]) {
        self.tokens = tokens
        self.logProbabilities = logProbabilities
    }
}

/// Reads what teachers thought in the ids of a student's tokenizer.
public struct TeacherReader: Sendable {
    private let digest: Digest
    private let vocabularySize: Int
    /// The one token of these bytes; -1 where several have them.
    private let ids: [[UInt8]: Int32]

    public init(_ tokenizer: Tokenizer) {
        digest = Digest(of: tokenizer.json)
        vocabularySize = tokenizer.vocabularySize
        var ids: [[UInt8]: Int32] = [:]
        for id in 0..<Int32(vocabularySize) {
            let bytes = Array(tokenizer.bytes(of: id, skippingSpecial: false))
            guard !bytes.isEmpty else { continue }
            ids[bytes] = ids[bytes] == nil ? id : -1
        }
        self.ids = ids
    }

    /// Every token in ids; nil where one has no id here, or more than one: then the text alone can be
    /// learned.
    public func read(_ teacher: TeacherTokens) -> [(chosen: Int32, taught: TaughtToken)]? {
        let isOwn = teacher.tokenizer == digest
        func id(_ name: TeacherTokens.Name) -> Int32? {
            switch name {
            case .id(let id): isOwn && id >= 0 && id < vocabularySize ? id : nil
            case .bytes(let bytes): ids[bytes].flatMap { $0 >= 0 ? $0 : nil }
            }
        }
        var read: [(chosen: Int32, taught: TaughtToken)] = []
        for token in teacher.tokens {
            guard let chosen = id(token.chosen.name) else { return nil }
            var taught = TaughtToken(tokens: [], logProbabilities: [])
            for choice in token.top {
                guard let id = id(choice.name), !taught.tokens.contains(id) else { return nil }
                taught.tokens.append(id)
                // As likely as never: upstreams write -9999 for it.
                taught.logProbabilities.append(Float(max(-100, choice.logProbability)))
            }
            read.append((chosen, taught))
        }
        return read
    }
}

extension TokenizedDocument {
    /// Puts beside the tokens of the last answer what `teacher` thought in their places; how many have
    /// something.
    ///
    /// A thought counts where the tokens before it are the teacher's own: to the first that is not, since
    /// a text may be written in several ways. Tokens that the teacher did not write, as the one that ends
    /// a turn, have none.
    @discardableResult
    public mutating func teach(_ read: [(chosen: Int32, taught: TaughtToken)]) -> Int {
        guard let last = weights.lastIndex(where: { $0 > 0 }), let start = answerStart else {
            return 0
        }
        teacher = Array(repeating: nil, count: tokens.count)
        var count = 0
        for (place, token) in zip(start..., read) where place <= last {
            if !token.taught.tokens.isEmpty {
                teacher[place] = token.taught
                count += 1
            }
            if tokens[place] != token.chosen { break }
        }
        return count
    }
}

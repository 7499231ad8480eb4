import FlywheelCore

/// A set of Unicode scalars: what one place of a pattern lets pass.
struct ScalarSet: Sendable, Equatable {
    enum Member: Sendable, Equatable {
        case range(ClosedRange<UInt32>)
        case digit, word, space
        indirect case not(Member)
    }

    var members: [Member]
    var isInverted = false
    var ignoresCase = false

    static let word = ScalarSet(members: [.word])
    static let newline = ScalarSet(members: [.range(10...10)])

    init(members: [Member], isInverted: Bool = false, ignoresCase: Bool = false) {
        self.members = members
        self.isInverted = isInverted
        self.ignoresCase = ignoresCase
    }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        let isMember =
            holds(scalar)
            || ignoresCase
                && [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping]
                    .contains { text in
                        text.unicodeScalars.count == 1 && holds(text.unicodeScalars.first ?? scalar)
                    }
        return isMember != isInverted
    }

    private func holds(_ scalar: Unicode.Scalar) -> Bool {
        members.contains { $0.contains(scalar) }
    }
}

extension ScalarSet.Member {
    func contains(_ scalar: Unicode.Scalar) -> Bool {
        switch self {
        case .range(let range): range.contains(scalar.value)
        case .digit: scalar.properties.generalCategory == .decimalNumber
        case .word:
            scalar == "_" || scalar.properties.isAlphabetic
                || scalar.properties.numericType != nil
        case .space: scalar.properties.isWhitespace
        case .not(let member): !member.contains(scalar)
        }
    }
}

/// A pattern as it was written, before it becomes a program.
indirect enum PatternNode {
    case scalars(ScalarSet)
    case assertion(Pattern.Assertion)
    case sequence([PatternNode])
    case alternatives([PatternNode])
    case group(PatternNode, number: Int)
    case repetition(PatternNode, min: Int, max: Int?, isGreedy: Bool)
}

struct PatternCompiler {
    private(set) var program: [Pattern.Instruction] = []
    /// Nodes written out so far: those of nothing, repeated often, make no instructions.
    private var nodes = 0

    mutating func add(_ node: PatternNode) throws(InputError) {
        nodes += 1
        guard nodes <= 4 * Pattern.instructionsMax else { throw tooLarge }
        switch node {
        case .scalars(let set): try emit(.scalar(set))
        case .assertion(let assertion): try emit(.assertion(assertion))
        case .sequence(let nodes): for node in nodes { try add(node) }
        case .alternatives(let nodes): try add(alternatives: nodes)
        case .group(let node, let number):
            try emit(.save(2 * number))
            try add(node)
            try emit(.save(2 * number + 1))
        case .repetition(let node, let min, let max, let isGreedy):
            for _ in 0..<min { try add(node) }
            guard let max else { return try add(endless: node, isGreedy) }
            var splits: [Int] = []
            for _ in min..<max {
                splits.append(program.count)
                try emit(.jump(0))
                try add(node)
            }
            for place in splits { split(at: place, place + 1, program.count, isGreedy) }
        }
    }

    private mutating func add(endless node: PatternNode, _ isGreedy: Bool) throws(InputError) {
        let start = program.count
        try emit(.jump(0))
        try add(node)
        try emit(.jump(start))
        split(at: start, start + 1, program.count, isGreedy)
    }

    private mutating func add(alternatives nodes: [PatternNode]) throws(InputError) {
        var ends: [Int] = []
        for node in nodes.dropLast() {
            let start = program.count
            try emit(.jump(0))
            try add(node)
            ends.append(program.count)
            try emit(.jump(0))
            split(at: start, start + 1, program.count, true)
        }
        if let last = nodes.last { try add(last) }
        for end in ends { program[end] = .jump(program.count) }
    }

    private mutating func split(at place: Int, _ inside: Int, _ after: Int, _ isGreedy: Bool) {
        program[place] = isGreedy ? .split(inside, after) : .split(after, inside)
    }

    private mutating func emit(_ instruction: Pattern.Instruction) throws(InputError) {
        guard program.count < Pattern.instructionsMax else { throw tooLarge }
        program.append(instruction)
    }

    private var tooLarge: InputError {
        InputError(
            "the pattern is too large: written out it has more than \(Pattern.instructionsMax) steps",
            remedy: "Make its counted repetitions smaller.")
    }
}

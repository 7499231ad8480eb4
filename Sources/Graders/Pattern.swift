public import FlywheelCore

/// A regular expression whose time is bounded by the length of the text times that of the pattern.
///
/// Pike's virtual machine (Cox, "Regular Expression Matching: the Virtual Machine Approach", 2009):
/// all ways to match advance together, one character at a time, so that no pattern and no answer of a
/// model can hang a rank. What only backtracking can do, references back and looking around, is
/// refused by name. Of several matches it finds the one that Perl, Python and Swift's `Regex` find:
/// the leftmost, then the one that prefers earlier alternatives and, as each quantifier says, more or
/// fewer repetitions; but a group whose last repetition is empty keeps what it captured before.
/// Characters are Unicode scalars; `\d`, `\w` and `\s` are Unicode's, as in Python.
public struct Pattern: Sendable, Equatable {
    public let text: String
    /// How many parentheses capture.
    public let groups: Int
    private let program: [Instruction]

    enum Instruction: Sendable, Equatable {
        case scalar(ScalarSet)
        case assertion(Assertion)
        /// Goes on at both places, preferring the first.
        case split(Int, Int)
        case jump(Int)
        /// Notes the position in a slot: 2g where group g begins, 2g + 1 where it ends.
        case save(Int)
        case match
    }

    enum Assertion: Sendable, Equatable {
        case textStart, textEnd, lineStart, lineEnd, boundary, noBoundary
    }

    /// What a pattern may compile to; with the length of an answer it bounds the work.
    static let instructionsMax = 1_000

    /// Throws `InputError`, without a field, for a pattern that is wrong or needs backtracking.
    public init(_ text: String) throws(InputError) {
        var parser = PatternParser(text)
        let node = try parser.parse()
        self.text = text
        groups = parser.groups
        var compiler = PatternCompiler()
        try compiler.add(node)
        program = compiler.program + [.match]
    }

    public static func == (a: Self, b: Self) -> Bool { a.text == b.text }

    /// What each group captured, the whole match first; nil where there is no match.
    package func match(in text: String, isWhole: Bool) -> [String?]? {
        let scalars = Array(text.unicodeScalars)
        guard let slots = run(scalars, isWhole: isWhole) else { return nil }
        return (0...groups).map { group in
            guard let start = slots[2 * group], let end = slots[2 * group + 1] else { return nil }
            var view = String.UnicodeScalarView()
            view.append(contentsOf: scalars[start..<end])
            return String(view)
        }
    }

    private typealias Slots = [Int?]

    /// The ways to match that stand at one position, the preferred one first.
    private struct Threads {
        var list: [(at: Int, slots: Slots)] = []
        var isListed: [Bool]
        init(_ count: Int) { isListed = Array(repeating: false, count: count) }

        mutating func removeAll() {
            list.removeAll(keepingCapacity: true)
            for index in isListed.indices { isListed[index] = false }
        }
    }

    private func run(_ scalars: [Unicode.Scalar], isWhole: Bool) -> Slots? {
        var current = Threads(program.count)
        var next = Threads(program.count)
        var found: Slots?
        for position in 0...scalars.count {
            if found == nil, position == 0 || !isWhole {
                var slots = Slots(repeating: nil, count: 2 * (groups + 1))
                slots[0] = position
                add(0, slots, to: &current, scalars, position)
            }
            if current.list.isEmpty, found != nil || isWhole { break }
            for (at, slots) in current.list {
                if case .match = program[at] {
                    guard !isWhole || position == scalars.count else { continue }
                    found = slots
                    found?[1] = position
                    // Whoever comes later in the list is less preferred.
                    break
                }
                guard case .scalar(let set) = program[at], position < scalars.count,
                    set.contains(scalars[position])
                else { continue }
                add(at + 1, slots, to: &next, scalars, position + 1)
            }
            swap(&current, &next)
            next.removeAll()
        }
        return found
    }

    /// Lists `start` and whatever follows from it without reading a character.
    private func add(
        _ start: Int, _ slots: Slots, to threads: inout Threads, _ scalars: [Unicode.Scalar],
        _ position: Int
    ) {
        var stack = [(at: start, slots: slots)]
        while let (at, reached) = stack.popLast() {
            var slots = reached
            guard !threads.isListed[at] else { continue }
            threads.isListed[at] = true
            switch program[at] {
            case .jump(let target): stack.append((target, slots))
            case .split(let first, let second):
                stack.append((second, slots))
                stack.append((first, slots))
            case .save(let slot):
                slots[slot] = position
                stack.append((at + 1, slots))
            case .assertion(let assertion):
                if assertion.holds(scalars, position) { stack.append((at + 1, slots)) }
            case .scalar, .match: threads.list.append((at, slots))
            }
        }
    }
}

extension Pattern.Assertion {
    func holds(_ scalars: [Unicode.Scalar], _ position: Int) -> Bool {
        switch self {
        case .textStart: position == 0
        case .textEnd: position == scalars.count
        case .lineStart: position == 0 || scalars[position - 1] == "\n"
        case .lineEnd: position == scalars.count || scalars[position] == "\n"
        case .boundary: isBoundary(scalars, position)
        case .noBoundary: !isBoundary(scalars, position)
        }
    }

    private func isBoundary(_ scalars: [Unicode.Scalar], _ position: Int) -> Bool {
        let before = position > 0 && ScalarSet.word.contains(scalars[position - 1])
        let after = position < scalars.count && ScalarSet.word.contains(scalars[position])
        return before != after
    }
}

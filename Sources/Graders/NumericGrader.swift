package import FlywheelCore

/// Right when the answer's number is the reference's, within a tolerance.
///
/// The number of a text is its last, or the first after the last marker. An answer without the
/// marker is wrong, whatever numbers it holds; a reference without it is taken as a whole. So
/// `after: ["####", "A:"]` reads the worked solutions of GSM8K (Cobbe and others 2021).
public struct NumericGrader: Grading, Equatable {
    /// What stands before the number; none: the last number counts.
    public var after: [String]
    /// How far off is still right.
    public var tolerance: Double
    /// The same, as a share of the larger of the two.
    public var relativeTolerance: Double

    public init(after: [String] = [], tolerance: Double = 0, relativeTolerance: Double = 0) {
        self.after = after
        self.tolerance = tolerance
        self.relativeTolerance = relativeTolerance
    }

    package func grade(answer: String, expected: String) -> Grade {
        guard let given = number(of: answer), let wanted = reference(expected) else {
            return .wrong
        }
        return Grade(
            isRight: given.isClose(to: wanted, absolute: tolerance, relative: relativeTolerance))
    }

    package func check(expected: String) throws(InputError) {
        guard reference(expected) == nil else { return }
        throw InputError("its answer `\(expected.prefix(80))` holds no number")
    }

    private func reference(_ text: String) -> Numeral? {
        number(of: text) ?? Numeral.all(in: text).last
    }

    private func number(of text: String) -> Numeral? {
        guard !after.isEmpty else { return Numeral.all(in: text).last }
        let ends = after.compactMap { text.range(ofLast: $0)?.upperBound }
        guard let end = ends.max() else { return nil }
        return Numeral.all(in: text[end...]).first
    }
}

extension String {
    /// Where `part` occurs last.
    fileprivate func range(ofLast part: String) -> Range<Index>? {
        ranges(of: part).last
    }
}

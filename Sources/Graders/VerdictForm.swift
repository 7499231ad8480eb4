public import FlywheelCore
import Foundation

/// In which words a judge gives its verdict, and how they are read.
///
/// A verdict is read or it is not: what is no verdict, or more than one, is never guessed at.
public enum VerdictForm: Sendable, Equatable {
    /// One of two answers, or neither, by the marks that stand for them.
    case pair(PairMarks)
    /// A number on a scale.
    case rating(RatingScale)
}

extension VerdictForm {
    /// What `text` says, as it is kept: `first`, `second` or `tie`, or a rating; nil where it cannot be
    /// read.
    public func verdict(in text: String) -> String? {
        switch self {
        case .pair(let marks): marks.read(text)?.rawValue
        case .rating(let scale): scale.read(text).map { "\($0)" }
        }
    }
}

/// What a judge writes for each verdict on a pair of answers.
public struct PairMarks: Sendable, Equatable {
    public var first: String
    public var second: String
    /// Empty: this judge must decide.
    public var tie: String

    /// The marks of MT-Bench.
    ///
    /// Zheng et al. 2023, arXiv 2306.05685.
    public static let doubleBrackets = PairMarks(first: "[[A]]", second: "[[B]]", tie: "[[C]]")

    public init(first: String, second: String, tie: String = "") {
        self.first = first
        self.second = second
        self.tie = tie
    }

    var all: [(mark: String, verdict: Preference)] {
        [(first, .first), (second, .second), (tie, .tie)].filter { !$0.0.isEmpty }
    }

    /// Throws where no text could tell the marks apart.
    public func check() throws(InputError) {
        for (place, one) in all.enumerated() {
            for (other, another) in all.enumerated()
            where place != other && another.mark.contains(one.mark) {
                throw InputError(
                    "the mark `\(one.mark)` is within `\(another.mark)`, so that one could not be "
                        + "told from the other",
                    remedy: "Give marks of which none holds another.")
            }
        }
        guard !first.isEmpty, !second.isEmpty else {
            throw InputError("the marks of both answers must be given")
        }
    }

    /// The verdict in `text`, about the answers as they were shown.
    ///
    /// An object of JSON with a `verdict` of `A`, `B` or `tie` is one. Otherwise the last line that
    /// holds a mark says it, and nothing is read where that line holds marks of different verdicts.
    public func read(_ text: String) -> Preference? {
        if let said = jsonObject(in: text)?["verdict"]?.string {
            switch said.lowercased() {
            case "a", "first": return .first
            case "b", "second": return .second
            case "c", "tie": return tie.isEmpty ? nil : .tie
            default: return nil
            }
        }
        for line in text.split(whereSeparator: \.isNewline).reversed() {
            let found = all.filter { line.contains($0.mark) }
            if found.count > 1 { return nil }
            if let only = found.first { return only.verdict }
        }
        return nil
    }
}

/// The numbers that a judge may give an answer.
public struct RatingScale: Sendable, Equatable {
    public var low: Double
    public var high: Double
    /// From which rating on an answer is good.
    public var pass: Double

    public init(low: Double = 1, high: Double = 10, pass: Double = 7) {
        self.low = low
        self.high = high
        self.pass = pass
    }

    /// Where `rating` lies on the scale, from 0 to 1.
    public func share(_ rating: Double) -> Double { (rating - low) / (high - low) }

    /// The rating in `text`; nil where there is none, or none on the scale.
    ///
    /// An object of JSON with a number `rating` is one, and so is a number alone. Otherwise the last
    /// line that holds numbers in double brackets says it, as `Rating: [[7]]`, if they are the same.
    public func read(_ text: String) -> Double? {
        guard let rating = number(in: text), rating >= low, rating <= high else { return nil }
        return rating
    }

    private func number(in text: String) -> Double? {
        if let object = jsonObject(in: text) { return object["rating"]?.number }
        if let alone = Double(text.trimmingCharacters(in: .whitespacesAndNewlines)) { return alone }
        for line in text.split(whereSeparator: \.isNewline).reversed() {
            let found = Set(
                line.matches(of: #/\[\[\s*(-?[0-9]+(?:\.[0-9]+)?)\s*\]\]/#).compactMap {
                    Double($0.1)
                })
            if found.count > 1 { return nil }
            if let only = found.first { return only }
        }
        return nil
    }
}

/// The object that `text` is, in a fence of Markdown or without.
private func jsonObject(in text: String) -> JSONValue? {
    var body = Substring(text.trimmingCharacters(in: .whitespacesAndNewlines))
    if body.hasPrefix("```"), body.hasSuffix("```"), let end = body.firstIndex(of: "\n") {
        body = body[body.index(after: end)...].dropLast(3)
    }
    guard let value = try? JSONValue(parsing: Array(body.utf8)), value.object != nil else {
        return nil
    }
    return value
}

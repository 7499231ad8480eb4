/// Why a capture is no row of a dataset.
public enum Omission: String, Sendable, Codable, CaseIterable, CodingKeyRepresentable {
    case failed, unstored, unreadable, unwanted, rejected, unvouched, cut, uncorrected, unchanged
    case golden, copy

    public var sentence: String {
        switch self {
        case .failed: "the call failed or broke off"
        case .unstored: "what was said is not kept"
        case .unreadable: "question or answer cannot be read"
        case .unwanted: "it has none of the signals asked for"
        case .rejected: "the answer was rejected and not corrected"
        case .unvouched: "nobody vouches for the answer, which no teacher gave"
        case .cut: "the answer was cut at its length"
        case .uncorrected: "no correction to set against the answer"
        case .unchanged: "the correction says what the answer said"
        case .golden: "golden, a copy of a golden row, or of its episode"
        case .copy: "a copy of a better row"
        }
    }
}

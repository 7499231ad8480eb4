public import Datasets
public import Models
import Tensors

/// What becomes of a document longer than a row.
///
/// There is no default: each choice loses something.
public enum Overlong: String, Sendable, Codable, CaseIterable {
    /// Left out.
    case drop
    /// Cut into pieces. Each begins with the last token of the one before, so that every weighted token
    /// is still predicted once, though from less context.
    case split
    /// Cut off at the end of the row, with its closing token.
    case cut
}

/// How many documents went which way.
public struct PackingReport: Sendable, Equatable {
    public var documents = 0
    public var overlong = 0
    /// Left out as overlong.
    public var dropped = 0
    /// Left out because nothing in them is learned, or no longer after a cut.
    public var unsupervised = 0
    /// Tokens that are in no row.
    public var tokensLost = 0
}

/// Documents that fit into rows, all of them whole from here on.
public struct FittedDocuments: Sendable {
    public let documents: [TokenizedDocument]
    public let report: PackingReport

    public init(_ documents: [TokenizedDocument], rowTokens: Int, overlong: Overlong) {
        var report = PackingReport(documents: documents.count)
        var fitted: [TokenizedDocument] = []
        for document in documents {
            let pieces = document.pieces(rowTokens: rowTokens, overlong: overlong)
            let learned = pieces.filter(\.isSupervised)
            if document.tokens.count > rowTokens { report.overlong += 1 }
            if pieces.isEmpty {
                report.dropped += 1
            } else if learned.isEmpty {
                report.unsupervised += 1
            }
            let overlaps = max(0, pieces.count - 1)
            let kept = pieces.reduce(0) { $0 + $1.tokens.count } - overlaps
            report.tokensLost +=
                learned.isEmpty ? document.tokens.count : document.tokens.count - kept
            fitted += learned
        }
        self.documents = fitted
        self.report = report
    }
}

extension TokenizedDocument {
    /// Whether any of its tokens is learned.
    var isSupervised: Bool { weights.contains { $0 != 0 } }

    fileprivate func pieces(rowTokens: Int, overlong: Overlong) -> [TokenizedDocument] {
        guard tokens.count > rowTokens else { return [self] }
        switch overlong {
        case .drop: return []
        case .cut: return [prefix(rowTokens)]
        case .split:
            return stride(from: 0, to: tokens.count - 1, by: rowTokens - 1).map {
                slice($0..<min($0 + rowTokens, tokens.count))
            }
        }
    }

    /// The first `count` tokens, or all where there are fewer.
    func prefix(_ count: Int) -> TokenizedDocument { slice(0..<min(count, tokens.count)) }

    private func slice(_ range: Range<Int>) -> TokenizedDocument {
        var copy = self
        copy.tokens = Array(tokens[range])
        copy.weights = Array(weights[range])
        if !teacher.isEmpty { copy.teacher = Array(teacher[range]) }
        // What was learned here stands at the end of the piece before.
        if !copy.weights.isEmpty { copy.weights[0] = 0 }
        if !copy.teacher.isEmpty { copy.teacher[0] = nil }
        return copy
    }
}

/// Which documents lie in which row, first-fit: each goes to the first row that still has room.
struct Packing: Sendable {
    /// Indices of documents, row after row.
    let documents: [Int32]
    /// Where each row begins in `documents`, and their end.
    let starts: [Int32]

    var rows: Int { starts.count - 1 }

    /// Packs documents of `lengths` tokens (none above `rowTokens`) in the order of `order`.
    init(lengths: [Int], order: [Int], rowTokens: Int) {
        var room = RoomTree(capacity: order.count, room: rowTokens)
        var rowOf = [Int](repeating: 0, count: order.count)
        var rows = 0
        for (place, document) in order.enumerated() {
            let row = room.takeFirst(lengths[document])
            rowOf[place] = row
            rows = max(rows, row + 1)
        }
        // Counting sort by row; documents of a row keep the order in which they came.
        var starts = [Int32](repeating: 0, count: rows + 1)
        for row in rowOf { starts[row + 1] += 1 }
        for row in 0..<rows { starts[row + 1] += starts[row] }
        var next = starts
        var sorted = [Int32](repeating: 0, count: order.count)
        for (place, document) in order.enumerated() {
            let row = rowOf[place]
            sorted[Int(next[row])] = Int32(document)
            next[row] += 1
        }
        documents = sorted
        self.starts = starts
    }

    func row(_ index: Int) -> ArraySlice<Int32> {
        documents[Int(starts[index])..<Int(starts[index + 1])]
    }
}

/// The free room of every row, as a tournament tree: finds the first row with enough in log time.
private struct RoomTree {
    private var tree: [Int]
    private let leaves: Int

    init(capacity: Int, room: Int) {
        var leaves = 1
        while leaves < capacity { leaves *= 2 }
        self.leaves = leaves
        tree = Array(repeating: room, count: 2 * leaves)
    }

    mutating func takeFirst(_ size: Int) -> Int {
        var node = 1
        precondition(tree[node] >= size)
        while node < leaves { node = tree[2 * node] >= size ? 2 * node : 2 * node + 1 }
        tree[node] -= size
        let row = node - leaves
        while node > 1 {
            node /= 2
            tree[node] = max(tree[2 * node], tree[2 * node + 1])
        }
        return row
    }
}

extension PackedRow {
    /// Lays `documents` end to end.
    ///
    /// Each position predicts the next token of its document; the last
    /// position of a document predicts nothing.
    ///
    /// - Parameter mix: how much of a taught position's loss is the teacher's.
    public init(_ documents: some Sequence<TokenizedDocument>, mix: Float = 0) {
        self.init(tokens: [], documentStarts: [], targets: [], weights: [])
        var taught = TeacherRows()
        self.mix = mix
        defer { if mix > 0 { teacher = taught } }
        for document in documents {
            if mix > 0 { taught.append(document) }
            documentStarts.append(Int32(tokens.count))
            tokens += document.tokens
            targets += document.tokens.dropFirst()
            targets.append(document.tokens.last ?? 0)
            weights += document.weights.dropFirst()
            weights.append(0)
        }
    }
}

extension TeacherRows {
    /// What was said of each position of `document`: of the token after it.
    fileprivate mutating func append(_ document: TokenizedDocument) {
        for place in document.tokens.indices {
            let next = place + 1
            let taught = next < document.teacher.count ? document.teacher[next] : nil
            append(
                tokens: taught?.tokens ?? [], logProbabilities: taught?.logProbabilities ?? [])
        }
    }
}

/// The name among `known` that somebody who wrote `name` most likely meant, if one is near enough.
///
/// Near is an edit distance (Damerau–Levenshtein, adjacent letters may change places) of at most a
/// third of the longer name.
public func nearest(to name: String, among known: some Sequence<String>) -> String? {
    known
        .map { (known: $0, distance: editDistance(name.lowercased(), $0.lowercased())) }
        .filter { $0.distance * 3 <= max(name.count, $0.known.count) }
        .min { ($0.distance, $0.known) < ($1.distance, $1.known) }?.known
}

func editDistance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var rows = [Array(0...b.count)]
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var best = min(rows[i][j] + (a[i] == b[j] ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                best = min(best, rows[i - 1][j - 1] + 1)
            }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[a.count][b.count]
}

/// Rows under named columns: aligned on a terminal; in a pipe lines of tab-separated values, without
/// a heading, for `cut` and `awk`.
struct Table {
    struct Column {
        var name: String
        /// Numbers stand on the right.
        var isNumber = false

        static func text(_ name: String) -> Self { Self(name: name) }
        static func number(_ name: String) -> Self { Self(name: name, isNumber: true) }
    }

    let columns: [Column]
    private(set) var rows: [[String]] = []

    init(_ columns: Column...) { self.columns = columns }
    init(columns: [Column]) { self.columns = columns }

    mutating func add(_ cells: String...) { add(cells) }

    mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "a cell for every column")
        rows.append(cells)
    }

    func lines(for terminal: Terminal) -> [String] {
        guard terminal.isInteractive else {
            return rows.map { $0.map(Self.oneLine).joined(separator: "\t") }
        }
        let cells = rows.map { $0.map(Self.oneLine) }
        var widths = columns.indices.map { column in
            (cells.map { $0[column].count } + [columns[column].name.count]).max() ?? 0
        }
        // The last column of text gives way when the terminal is narrow.
        let others = widths.dropLast().reduce(0, +) + 2 * (widths.count - 1)
        if let last = widths.last, others + last > terminal.width {
            widths[widths.count - 1] = max(terminal.width - others, min(last, 12))
        }
        let heading = line(columns.map(\.name), widths)
        return [terminal.styled(heading, .faint)] + cells.map { line($0, widths) }
    }

    func show(on terminal: Terminal = .output) {
        for line in lines(for: terminal) { print(line) }
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let padded = columns.indices.map { column in
            let width = widths[column]
            let cell =
                cells[column].count > width
                ? cells[column].prefix(width - 1) + "…" : cells[column][...]
            let space = String(repeating: " ", count: width - cell.count)
            if columns[column].isNumber { return space + cell }
            return column == columns.count - 1 ? String(cell) : cell + space
        }
        return padded.joined(separator: "  ")
    }

    private static func oneLine(_ cell: String) -> String {
        String(cell.map { $0 == "\t" || $0.isNewline ? " " : $0 })
    }
}

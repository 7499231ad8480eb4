import Foundation

/// How far some work is: one line that is drawn over on a terminal; in a pipe a line for every tenth
/// of the way, or where the share is unknown whenever the words change.
struct ProgressBar {
    let terminal: Terminal
    private var last = ""
    private var tenth: Int?

    init(terminal: Terminal) { self.terminal = terminal }

    /// Shows `words` with a bar for `share`, from 0 to 1, where it is known.
    mutating func show(share: Double?, _ words: String) {
        guard terminal.isInteractive else {
            let reached = share.map { Int($0 * 10) }
            if reached != tenth || (share == nil && words != last) { write(words + "\n") }
            (last, tenth) = (words, reached)
            return
        }
        var line = words
        if let share {
            let cells = min(30, terminal.width - words.count - 9)
            if cells >= 5 {
                let done = Int((min(max(share, 0), 1) * Double(cells)).rounded(.down))
                let bar = String(repeating: "█", count: done)
                let rest = String(repeating: "░", count: cells - done)
                line =
                    terminal.styled(bar, .green) + rest + " \(Formatting.percent(share))  " + line
            }
        }
        if line == words { line = String(words.prefix(terminal.width - 1)) }
        write("\r\u{1B}[2K" + line)
        last = words
    }

    /// Ends with `words` on a line of their own.
    mutating func finish(_ words: String) {
        write((terminal.isInteractive ? "\r\u{1B}[2K" : "") + words + "\n")
    }

    private func write(_ text: String) {
        print(text, terminator: "")
        // Whoever watches, on a terminal or through a pipe, sees it now and in its place.
        fflush(nil)
    }
}

import Foundation
import Synchronization

/// What standard output is: a person's terminal, or a pipe into another program.
struct Terminal: Sendable {
    /// Tables are aligned and bars drawn; in a pipe there are plain lines.
    let isInteractive: Bool
    /// In columns.
    let width: Int
    /// Not where `NO_COLOR` is set, nor on a terminal that cannot.
    let hasColor: Bool

    static let output = Terminal(descriptor: STDOUT_FILENO)

    init(descriptor: CInt) {
        let variables = ProcessInfo.processInfo.environment
        isInteractive = isatty(descriptor) == 1
        var size = winsize()
        let known = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        width =
            variables["COLUMNS"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
            ?? (known ? Int(size.ws_col) : 80)
        hasColor =
            isInteractive && (variables["NO_COLOR"] ?? "").isEmpty && variables["TERM"] != "dumb"
    }

    enum Style: String { case bold = "1", faint = "2", red = "31", green = "32", yellow = "33" }

    func styled(_ text: String, _ style: Style) -> String {
        hasColor ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// Prints an error's sentence on standard error.
    static func complain(_ sentence: String) {
        let terminal = Terminal(descriptor: STDERR_FILENO)
        FileHandle.standardError.write(
            Data((terminal.styled("error:", .red) + " " + sentence + "\n").utf8))
    }

    /// Prints a piece of a line on standard output, at once.
    static func type(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

    /// Prints a line about the work, beside its output, on standard error.
    static func note(_ sentence: String) {
        FileHandle.standardError.write(Data((sentence + "\n").utf8))
    }
}

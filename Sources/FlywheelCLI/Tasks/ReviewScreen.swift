import Foundation
import Tokenizers

/// What a review looks like.
struct ReviewScreen {
    let session: ReviewSession
    let task: String

    init(_ session: ReviewSession, task: String) {
        self.session = session
        self.task = task
    }

    func draw() {
        // Up to the corner, and nothing below: what was there stays in the terminal's history.
        Terminal.type((Terminal.output.hasColor ? "\u{1B}[2J\u{1B}[H" : "\n") + text)
    }

    var text: String {
        let item = session.current
        // What it was drawn for names the answer, or what people made of it.
        let stratum = item.wasSeen ? faint(item.stratum) : ""
        var lines = [
            bold("\(task)  \(session.place + 1) of \(session.items.count)")
                + "  (\(session.decided) decided)  " + stratum, "",
        ]
        for message in item.question {
            lines += [faint(message.role.rawValue), Self.shown(message), ""]
        }
        if item.wasSeen {
            lines += [faint("the model's answer"), Self.shown(item.answer), ""]
        }
        if let decision = item.decision { lines += [faint("decided"), Self.shown(decision), ""] }
        if !session.hint.isEmpty { lines += [session.hint, ""] }
        if let draft = session.draft {
            lines.append(faint("Enter keeps it, Ctrl-J is a new line, Esc leaves it."))
            return lines.joined(separator: "\n") + "\n> " + draft
        }
        lines.append(
            faint(
                (item.wasSeen ? "y it is right  " : "space show the model's answer  ")
                    + "e write the answer  s skip  b back  n next  f freeze  q leave"))
        return lines.joined(separator: "\n") + "\n"
    }

    /// Contents as text alone: what people typed must not move the cursor.
    private static func shown(_ message: ChatMessage) -> String {
        let calls = message.toolCalls.map { "\($0.name)(\($0.arguments))" }
        return ([message.content] + calls).filter { !$0.isEmpty }.joined(separator: "\n").harmless
    }

    private static func shown(_ decision: ReviewSession.Decision) -> String {
        switch decision {
        case .right: "the model's answer is right"
        case .corrected(let text): text.harmless
        case .skipped: "skipped"
        }
    }

    private func bold(_ text: String) -> String { Terminal.output.styled(text, .bold) }
    private func faint(_ text: String) -> String { Terminal.output.styled(text, .faint) }
}

extension String {
    /// Without what terminals take for orders.
    fileprivate var harmless: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.filter {
                    $0 == "\n" || $0 == "\t" || $0.properties.generalCategory != .control
                }))
    }
}

import Curation
import Datasets
import FlywheelCore
import Testing
import Tokenizers

@Suite struct `Golden answers` {
    private func row(_ question: String, _ answer: String) -> DatasetRow {
        DatasetRow(
            .chat([
                ChatMessage(role: .user, content: question),
                ChatMessage(role: .assistant, content: answer),
            ]), id: question)
    }

    private func call(_ id: String, _ question: String) -> CapturedExample {
        CapturedExample(
            id: id, model: "m",
            request: ["messages": [["role": "user", "content": .string(question)]]], response: nil)
    }

    @Test func `a call that asks what a golden set asks has its answer, and no other call has`() {
        let answers = GoldenAnswers([row("one?", "1"), row("two?", "2"), row("Three?", "3")])
        let labels = answers.labels(of: [
            call("a", "two?"), call("b", "two and a half?"), call("c", " three? "),
        ])
        #expect(labels.map(\.capture) == ["a", "c"])
        #expect(labels.map(\.answer) == ["2", "3"])
    }

    @Test func `a question that the golden set answers in two ways labels nothing`() {
        let answers = GoldenAnswers([row("one?", "1"), row("ONE?", "eins"), row("two?", "2")])
        let labels = answers.labels(of: [call("a", "one?"), call("b", "two?")])
        #expect(labels.map(\.capture) == ["b"])
    }
}

import Labelling
import Testing

@Suite struct FirstAnswersOfAnUpstream {
    private let many = FirstAnswers.triesMax

    @Test func `errors are the other side's where all questions met them, and no answer came`() {
        var first = FirstAnswers()
        for question in ["a", "b", "c"] { first.ask(question) }
        #expect(first.fail("a", tries: many - 1) == .goOn)
        for question in ["a", "b"] {
            #expect(first.fail(question, tries: many) == .goOn, "c may still be answered")
        }
        #expect(first.fail("c", tries: many) == .nobodyAnswers(3))
        first.ask("d")
        #expect(first.fail("b", tries: many + 1) == .goOn)
        first.speak()
        for question in ["a", "b", "c", "d"] {
            #expect(first.fail(question, tries: 8) == .goOn)
        }
    }

    @Test func `a question that fails before others were asked tells nothing by itself`() {
        var first = FirstAnswers()
        for (number, question) in ["a", "b"].enumerated() {
            first.ask(question)
            #expect(first.fail(question, tries: many) == .postpone, "\(number) before it")
        }
        first.ask("c")
        #expect(first.fail("c", tries: many) == .nobodyAnswers(3))
    }
}

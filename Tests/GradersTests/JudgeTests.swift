import FlywheelCore
import Graders
import Testing

@Suite struct Judges {
    @Test(arguments: [
        ("[[A]]", Preference.first), ("Both err.\n[[B]]\n", .second), ("so: [[C]].", .tie),
        ("[[A]] would be it, were it shorter.\n\nMy verdict: [[B]]", .second),
        (#"{"verdict": "A", "why": "[[B]] is wrong"}"#, .first),
        ("```json\n{\"verdict\": \"tie\"}\n```", .tie),
    ])
    func `a verdict on a pair is read`(text: String, verdict: Preference) {
        #expect(PairMarks.doubleBrackets.read(text) == verdict)
    }

    @Test(arguments: [
        "", "A is better", "[[D]]", "Not [[A]] but [[B]]", #"{"verdict": "both"}"#, "[[A",
        "[[A]]\nor rather [[B]] or [[C]]",
    ])
    func `what is no verdict, or two, is not guessed at`(text: String) {
        #expect(PairMarks.doubleBrackets.read(text) == nil)
    }

    @Test func `a rating is read where it lies on the scale`() {
        let scale = RatingScale(low: 1, high: 5, pass: 4)
        for (text, rating) in [
            ("Good.\nRating: [[4]]", 4.0), ("3", 3), (" 2.5\n", 2.5), (#"{"rating": 5}"#, 5),
            ("[[1]] at first, but\nRating: [[5]] [[5]]", 5),
        ] { #expect(scale.read(text) == rating, "\(text)") }
        for text in ["", "[[6]]", "0", "four", "4/5", "[[2]] or [[3]]", #"{"rating": "5"}"#, "nan"]
        {
            #expect(scale.read(text) == nil, "\(text)")
        }
        #expect(scale.share(1) == 0 && scale.share(5) == 1 && scale.share(3) == 0.5)
    }

    @Test func `orders that disagree are a tie, and one that is not known is nothing`() {
        let both: [Preference?] = [.first, .second, .tie, nil]
        for forward in both {
            for reversed in both {
                let combined = PairJudgement(forward: forward, reversed: reversed).combined
                if forward == nil || reversed == nil {
                    #expect(combined == nil)
                } else {
                    #expect(combined == (forward == reversed ? forward : .tie))
                }
            }
        }
    }

    @Test func `an answer that spells a place is not filled in`() {
        let judge = Judge(upstream: "u", model: "m", prompt: .pairwise, criteria: "Be terse.")
        let call = JudgeCall(
            judge, question: "Which {answer_b}?", answers: ["{answer_b} {criteria}", "two"],
            reference: "")
        #expect(call.user.hasPrefix("Be terse.\n"))
        #expect(call.user.contains("# Request\nWhich {answer_b}?\n"))
        #expect(call.user.contains("# Answer A\n{answer_b} {criteria}\n"))
        #expect(call.user.contains("# Answer B\ntwo\n"))
    }

    @Test func `the name of a call tells judge, prompt, question and the answers in their order`() {
        let judge = Judge(upstream: "u", model: "m", prompt: .pairwise)
        func digest(
            _ judge: Judge, _ question: String = "q", _ answers: [String] = ["a", "b"],
            _ reference: String = ""
        ) -> Digest {
            JudgeCall(judge, question: question, answers: answers, reference: reference).digest
        }
        let base = digest(judge)
        #expect(digest(judge) == base)
        #expect(digest(judge, "q", ["a", "b"], "unseen") == base, "this prompt shows no reference")
        var others: [Judge] = []
        for change in [
            { $0.upstream = "v" }, { $0.model = "n" }, { $0.criteria = "c" },
            { $0.temperature = 1 }, { $0.prompt.system = "s" },
            { $0.prompt.form = .pair(PairMarks(first: "1", second: "2")) },
        ] as [(inout Judge) -> Void] {
            var other = judge
            change(&other)
            others.append(other)
        }
        let digests =
            others.map { digest($0) } + [digest(judge, "p"), digest(judge, "q", ["b", "a"])]
        #expect(Set(digests + [base]).count == digests.count + 1)
    }

    @Test func `a prompt must show what its verdict is about`() {
        var prompt = JudgePrompt.pairwise
        prompt.user = "{answer_a}"
        #expect(throws: InputError.self) { try prompt.check() }
        prompt.user = "{answer_a} {answer_b} {answer}"
        #expect(throws: InputError.self) { try prompt.check() }
        prompt.user = "{answer_a} {answer_b}"
        prompt.form = .pair(PairMarks(first: "Answer", second: "Answer B"))
        #expect(throws: InputError.self) { try prompt.check() }
        prompt = .rubric
        prompt.form = .rating(RatingScale(low: 1, high: 5, pass: 7))
        #expect(throws: InputError.self) { try prompt.check() }
        for fine in [JudgePrompt.pairwise, .rubric] {
            #expect(throws: Never.self) { try fine.check() }
        }
    }
}

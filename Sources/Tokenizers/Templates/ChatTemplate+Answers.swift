import FlywheelCore

extension ChatTemplate.Conversation {
    /// What is learned of each assistant turn.
    ///
    /// `{% generation %}` blocks say it where the template has them. Otherwise an answer begins where
    /// the conversation before it, opened for an answer, ends, and must read as it would if nothing
    /// followed it. Blanks that the template writes after the token that ends a turn are not learned:
    /// nobody generates them.
    func answers(
        in output: Jinja.Output, opensAnswer: Bool, isLearned: Bool
    ) throws -> [ChatTemplate.Answer] {
        if form.program.marksGeneration { return marked(in: output) }
        var answers: [ChatTemplate.Answer] = []
        for index in messages.indices where messages[index].role == .assistant {
            do {
                let range = try answer(index, in: output.text, opensAnswer: opensAnswer)
                answers.append(.init(message: index, range: range))
            } catch {
                // Of a turn that is only shown, nobody asks where it begins.
                guard !isLearned || messages[index].weight == 0 else { throw error }
            }
        }
        return answers
    }

    // MARK: By marks

    private func marked(in output: Jinja.Output) -> [ChatTemplate.Answer] {
        let text = output.text
        var answers: [ChatTemplate.Answer] = []
        var done = 0
        for block in output.generations
        where !block.isEmpty || endOfTurn(startingAt: block.lowerBound, in: text) != nil {
            let typed = text.runs.filter { $0.range.overlaps(block) }
            let known = typed.first { isAssistant($0.origin) }?.origin
            let latest = answers.last?.message
            // Blocks without a word of the assistant's: the rest of the last turn, or an empty one.
            let next = messages.indices.first { $0 > latest ?? -1 && isAssistant($0) }
            guard let message = known ?? (done == block.lowerBound ? latest : nil) ?? next ?? latest
            else { continue }
            let first = typed.first.map { max($0.range.lowerBound, block.lowerBound) }
            let last = typed.last.map { min($0.range.upperBound, block.upperBound) }
            let start = self.start(of: block, before: first ?? block.upperBound, in: text)
            let end = self.end(of: block, after: last ?? start, in: text)
            let range = start..<max(start, end)
            answers.append(.init(message: message, range: range))
            done = block.upperBound
        }
        return answers
    }

    private func isAssistant(_ index: Int) -> Bool {
        messages.indices.contains(index) && messages[index].role == .assistant
    }

    /// Where a block begins, after what the template writes to open the turn if it is in it.
    private func start(of block: Range<Int>, before spoken: Int, in text: Jinja.Text) -> Int {
        let opening = form.opening
        guard !opening.isEmpty else { return block.lowerBound }
        for end in stride(
            from: min(block.lowerBound + opening.count, spoken), to: block.lowerBound, by: -1)
        where end >= opening.count {
            if text.bytes[end - opening.count..<end].elementsEqual(opening) { return end }
        }
        return block.lowerBound
    }

    /// Where a block ends, with the token that ends the turn, which may stand behind it.
    private func end(of block: Range<Int>, after spoken: Int, in text: Jinja.Text) -> Int {
        if endOfTurn(in: text, spoken..<max(spoken, block.upperBound)) == nil,
            let end = endOfTurn(startingAt: block.upperBound, in: text)
        {
            return end
        }
        return trimmed(block.upperBound, to: spoken, in: text)
    }

    // MARK: By prefixes

    private func answer(
        _ index: Int, in text: Jinja.Text, opensAnswer: Bool
    ) throws -> Range<Int> {
        let opened = try written(index, opensAnswer: true).text
        guard text.bytes.starts(with: opened.bytes) else {
            throw refusal(
                index,
                "does not begin this answer as it would open it for the model, so it does not "
                    + "tell which tokens are the model's")
        }
        let start = opened.bytes.count
        if index == messages.count - 1, !opensAnswer {
            let spoken = text.runs.last { $0.origin == index }?.range.upperBound ?? start
            return start..<trimmed(text.bytes.count, to: max(spoken, start), in: text)
        }
        let alone = try written(index + 1, opensAnswer: false).text
        let spoken = max(alone.runs.last { $0.origin == index }?.range.upperBound ?? start, start)
        let end =
            text.bytes.starts(with: alone.bytes)
            ? trimmed(alone.bytes.count, to: spoken, in: alone)
            : endOfTurn(in: alone, spoken..<alone.bytes.count)
        guard let end, text.bytes.prefix(end).elementsEqual(alone.bytes.prefix(end)) else {
            throw refusal(
                index,
                "writes this answer otherwise once more follows it, so what would be learned is "
                    + "not what the model has to write")
        }
        return start..<end
    }

    private func refusal(_ index: Int, _ reason: String) -> InputError {
        InputError(
            field: "messages[\(index)]", "\(form.title) \(reason)",
            remedy:
                "Give the answer weight 0, make a row of each answer, or use a template that marks "
                + "answers with {% generation %}.")
    }

    // MARK: Ends

    /// Where the first token that ends a turn ends, of those that the template wrote in `range`.
    private func endOfTurn(in text: Jinja.Text, _ range: Range<Int>) -> Int? {
        let ends = form.endsOfTurn.compactMap { token in
            text.find(Array(token.utf8), in: range).map { ($0, $0 + token.utf8.count) }
        }
        guard let first = ends.min(by: { $0 < $1 }) else { return nil }
        return isTemplates(first.0..<first.1, in: text) ? first.1 : nil
    }

    private func endOfTurn(startingAt start: Int, in text: Jinja.Text) -> Int? {
        let rest = text.bytes[start...]
        let token = form.endsOfTurn.first { rest.starts(with: $0.utf8) }
        guard let token, isTemplates(start..<start + token.utf8.count, in: text) else { return nil }
        return start + token.utf8.count
    }

    private func isTemplates(_ range: Range<Int>, in text: Jinja.Text) -> Bool {
        !text.runs.contains { $0.range.overlaps(range) }
    }

    /// `end` without the blanks before it, unless nothing else follows what was `spoken`.
    private func trimmed(_ end: Int, to spoken: Int, in text: Jinja.Text) -> Int {
        var trimmed = end
        while trimmed > spoken, Unicode.Scalar(text.bytes[trimmed - 1]).isBlank { trimmed -= 1 }
        return trimmed > spoken ? trimmed : max(end, spoken)
    }
}

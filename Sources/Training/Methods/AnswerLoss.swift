import Models

/// A loss over whole answers, of which a row has some: turns log-probabilities of tokens into what they
/// cost, and into how that changes with each of them.
struct AnswerLoss: Sendable {
    let objective: Objective
    let examples: Examples
    /// What each document of `examples` scored before the first step; empty where nothing is compared.
    let reference: [Double]
    /// The step's z₀.
    var divergence = 0.0

    /// Weighs the examples `indices`, which `row` holds in this order, given the log-probabilities of its
    /// weighted positions.
    ///
    /// Returns, for each of these, less the derivative of `scale` × the loss by it.
    func weigh(
        _ row: PackedRow, _ indices: [Int], scores: [Double], scale: Double
    ) -> (tally: Tally, slopes: [Float]) {
        let answers = answers(in: row, indices, scores)
        var tally = Tally()
        // Of the loss by each document's log-probability.
        var slopes: [Double] = []
        for (place, index) in indices.enumerated() {
            let weight = Double(examples.weight(of: index))
            let own = answers[place * examples.size..<(place + 1) * examples.size]
            let found = value(Array(own), isGood: examples.isGood(index), &tally)
            tally.loss += weight * found.loss
            slopes += found.slopes.map { scale * weight * $0 }
        }
        var u: [Float] = []
        u.reserveCapacity(scores.count)
        for (slope, document) in zip(slopes, row.documentRanges) {
            for weight in row.weights[document] where weight != 0 {
                u.append(Float(-slope * Double(weight)))
            }
        }
        return (tally, u)
    }

    private func value(
        _ answers: [AnswerScore], isGood: Bool, _ tally: inout Tally
    ) -> (loss: Double, slopes: [Double]) {
        switch objective {
        case .likelihood: preconditionFailure("tokens are not weighed as answers")
        case .preference(let loss):
            let value = loss.value(better: answers[0], worse: answers[1])
            tally.better += value.rewards.better
            tally.worse += value.rewards.worse
            (tally.betters, tally.worses) = (tally.betters + 1, tally.worses + 1)
            if value.rewards.better > value.rewards.worse { tally.correct += 1 }
            return (value.loss, [value.slopes.better, value.slopes.worse])
        case .judgement(let loss):
            let value = loss.value(answers[0], isGood: isGood, divergence: divergence)
            if isGood {
                tally.better += value.reward
                tally.betters += 1
            } else {
                tally.worse += value.reward
                tally.worses += 1
            }
            if (answers[0].gain > divergence) == isGood { tally.correct += 1 }
            return (value.loss, [value.slope])
        }
    }

    /// What each document of the row scores, tokens ascending.
    private func answers(
        in row: PackedRow, _ indices: [Int], _ scores: [Double]
    ) -> [AnswerScore] {
        let documents = indices.flatMap { examples.documents(of: $0) }
        return zip(documents, row.sums(of: scores)).map { document, sum in
            AnswerScore(
                policy: sum.score, reference: reference.isEmpty ? 0 : reference[document],
                length: sum.weight)
        }
    }
}

extension PackedRow {
    fileprivate var documentRanges: [Range<Int>] {
        zip(documentStarts, documentStarts.dropFirst() + [Int32(tokens.count)])
            .map { Int($0)..<Int($1) }
    }

    /// For each document, Σ weight × score of its weighted positions, and Σ weight.
    ///
    /// `scores` has one for each such position of the row; a document's sums depend on itself alone.
    func sums(of scores: [Double]) -> [(score: Double, weight: Double)] {
        var sums: [(score: Double, weight: Double)] = []
        var next = 0
        for document in documentRanges {
            var sum = (score: 0.0, weight: 0.0)
            for weight in weights[document] where weight != 0 {
                sum.score += Double(weight) * scores[next]
                sum.weight += Double(weight)
                next += 1
            }
            sums.append(sum)
        }
        return sums
    }
}

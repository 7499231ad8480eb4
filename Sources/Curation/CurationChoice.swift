import Datasets
import FlywheelCore
import Tokenizers

/// Which captures become rows, in which piece of the dataset.
struct CurationChoice {
    /// In order of their ids; none is golden.
    let candidates: [Candidate]
    /// Indices of candidates that become rows, ascending.
    let kept: [Int]
    /// By candidate: who is kept for it.
    let keepers: [Int]
    /// By candidate: the first of those that must stand together.
    let groups: [Int]
    /// By candidate: the index of its split; nil for what is learned.
    let splits: [Int?]
    private(set) var omitted: [Omission: Int] = [:]

    init(_ examples: [CapturedExample], _ rules: CurationRules, _ golden: GoldenRows) {
        var omitted: [Omission: Int] = [:]
        var readable: [Candidate] = []
        for example in examples.sorted(by: { $0.id < $1.id }) {
            switch rules.candidate(example) {
            case .success(let candidate): readable.append(candidate)
            case .failure(let refusal): omitted[refusal.reason, default: 0] += 1
            }
        }
        let isBarred = golden.bars(readable, near: rules.near)
        let candidates = zip(readable, isBarred).filter { !$0.1 }.map(\.0)
        let questions = candidates.map(\.question)
        let copies = NearCopies(
            threshold: rules.near, common: Shingles.common(to: questions), seed: rules.seed)
        let keepers = CopyChoice(candidates, copies).keepers
        let groups = SplitGroups(
            episodes: candidates.map(\.example.episode), copies: copies.groups(of: questions)
        ).groups
        self.candidates = candidates
        self.keepers = keepers
        self.groups = groups
        kept = candidates.indices.filter { keepers[$0] == $0 }
        splits = groups.map {
            SplitGroups.piece(
                of: candidates[$0].example.id, shares: rules.splits.map(\.share), seed: rules.seed)
        }
        omitted[.golden] = isBarred.count { $0 }
        omitted[.copy] = candidates.count - kept.count
        self.omitted = omitted.filter { $0.value > 0 }
    }

    /// What the rows of these candidates were made of.
    func origins(of kept: [Int]) -> [RowOrigin] {
        let rows = Set(kept)
        return candidates.indices.filter { rows.contains(keepers[$0]) }.map { index in
            let (own, keeper) = (candidates[index], candidates[keepers[index]])
            return RowOrigin(
                row: keeper.example.id, capture: own.example.id, endUser: own.example.endUser,
                source: own.source, feedback: own.source == nil ? nil : own.target?.feedback,
                isCopy: keepers[index] != index)
        }.sorted { ($0.row, $0.capture) < ($1.row, $1.capture) }
    }
}

extension CurationRules {
    /// What each kept candidate weighs: what its source is trusted, less where that has too large a share.
    ///
    /// Shares are of what is learned; the splits beside it weigh alike.
    func weights(_ choice: CurationChoice) -> (rows: [Int: Float], sources: [SourceShare]) {
        let learned = choice.kept.filter { choice.splits[$0] == nil }
        var bySource: [String: [Int]] = [:]
        var others = 0.0
        func trust(_ index: Int) -> Double { choice.candidates[index].target?.trust ?? 1 }
        for index in learned {
            if let source = choice.candidates[index].source {
                bySource[source, default: []].append(index)
            } else {
                others += trust(index)
            }
        }
        let own = bySource.mapValues { $0.reduce(0) { $0 + trust($1) } }
        let factors = SourceCap.factors(own, others: others, share: sourceShareMax)
        let all = own.keys.sorted().reduce(others) { $0 + (own[$1] ?? 0) * (factors[$1] ?? 1) }
        let rows = choice.kept.map { index in
            let factor = choice.candidates[index].source.flatMap { factors[$0] } ?? 1
            // Four decimals, so that a row reads well and depends on no last bit.
            return (index, Float((trust(index) * factor * 10_000).rounded() / 10_000))
        }
        let sources = bySource.map { source, indices in
            let (own, factor) = (own[source] ?? 0, factors[source] ?? 1)
            return SourceShare(
                source: source, trust: own / Double(indices.count), rows: indices.count,
                share: all > 0 ? own * factor / all : 0, isCapped: factor < 1)
        }
        return (
            form == .prompts ? [:] : Dictionary(uniqueKeysWithValues: rows),
            sources.sorted { ($1.share, $0.source) < ($0.share, $1.source) }
        )
    }
}

extension Candidate {
    /// The row: a person's words as they came, of which only the last turn is learned.
    func row(_ form: CurationRules.Form, weight: Float) -> DatasetRow {
        let asked = request.messages.map { message in
            var message = message
            // Each earlier answer was a capture of its own, and may have been rejected.
            if message.role == .assistant { message.weight = 0 }
            return message
        }
        var fields = [String: JSONValue]()
        fields["target"] = target.map { .string($0.kind.rawValue) }
        if let parallel = example.request?["parallel_tool_calls"], parallel.boolean != nil {
            fields["parallel_tool_calls"] = parallel
        }
        let content: DatasetRow.Content
        switch (form, target) {
        case (.pairs, let target?):
            content = .preference(
                request.messages, tools: request.tools, preferred: [target.message],
                rejected: rejected.map { [$0] } ?? [])
        case (.answers, let target?):
            content = .chat(asked + [target.message], tools: request.tools)
        case (_, let target):
            content = .chat(request.messages, tools: request.tools)
            fields["reference"] = target.map { .string($0.message.said) }
        }
        return DatasetRow(content, weight: weight, id: example.id, fields: fields)
    }
}

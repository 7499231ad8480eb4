import Datasets
import FlywheelCore
import Testing
import Tokenizers

/// A tokenizer of bytes: the ids of a text are its UTF-8.
private let bytes = Tokenizer(learning: 259, from: [], specialTokens: ChatTemplate.specialTokens)

@Suite struct DatasetCards {
    private func row(
        _ question: String, _ answer: String, _ fields: [String: JSONValue] = [:]
    ) -> DatasetRow {
        DatasetRow(
            .chat([
                ChatMessage(role: .user, content: question),
                ChatMessage(role: .assistant, content: answer),
            ]), id: "\(question)", fields: fields)
    }

    @Test func `a card counts rows, turns, lengths, duplicates and answers`() {
        let rows = [row("a", "yes"), row("bb", "no"), row("ccc", "yes"), row("a", "yes")]
        let card = DatasetCard(of: rows, tokenizer: bytes)
        #expect(card.rows == 4)
        #expect(card.shape == .chat)
        #expect(card.unit == .tokens)
        #expect(card.turns == ["user": 4, "assistant": 4])
        #expect(card.sizes == ["user": 7, "assistant": 11])
        #expect(
            [card.lengths.min, card.lengths.median, card.lengths.p95, card.lengths.max]
                == [4, 4, 6, 6])
        #expect(card.lengths.histogram?.map { [$0.from, $0.to, $0.rows] } == [[4, 8, 4]])
        #expect(card.duplicates == 1)
        #expect(card.answers?.distinct == 2)
        #expect(card.answers?.values.map(\.text) == ["yes", "no"])
        #expect(card.answers?.values.map(\.rows) == [3, 1])
        #expect(card.answers?.values.map(\.share) == [0.75, 0.25])
        // -(3/4 log2 3/4 + 1/4 log2 1/4)
        #expect(abs((card.answers?.entropy ?? 0) - 0.811278) < 1e-6)
        #expect(card.overlong == nil && card.splits == nil && card.fields == nil)
    }

    @Test func `without a tokenizer, lengths are characters`() {
        let card = DatasetCard(of: [DatasetRow(.text("né"), id: "1")])
        #expect(card.unit == .characters)
        #expect(card.sizes == ["text": 2])
        #expect(card.answers == nil)
        #expect(DatasetCard(of: [DatasetRow(.tokens([1, 2, 3]), id: "1")]).sizes == ["tokens": 3])
    }

    @Test func `near duplicates are those that differ in a letter, not those that differ in sense`()
    {
        let texts = [
            "please tell me where my parcel is right now", "something else altogether, long enough",
            "please tell me where my parcel is right now!",
            "please tell me where my parcel is right now",
        ]
        let card = DatasetCard(
            of: texts.enumerated().map { DatasetRow(.text($1), id: "\($0)") })
        #expect(card.duplicates == 1)
        #expect(card.nearDuplicates == 1)
    }

    @Test func `rows too long for training are counted as they are rendered`() {
        let rows = [row("a", "b"), row(String(repeating: "a", count: 100), "b")]
        // ChatML adds 21 tokens to two such turns: 4 marks, 2 roles with their newlines, 2 newlines.
        let short = DatasetCard(of: rows, tokenizer: bytes, rowTokens: 64)
        #expect(short.overlong?.rows == 1)
        #expect(short.overlong?.beyond == 101 + 21 - 64)
        #expect(DatasetCard(of: rows, rowTokens: 64).overlong?.beyond == 101 - 64)
        #expect(DatasetCard(of: rows, rowTokens: 2).overlong?.rows == 1)
    }

    @Test func `fields of few values and splits have a balance of their own`() {
        let rows = (0..<16).map { (index: Int) -> DatasetRow in
            let fields: [String: JSONValue] = [
                "split": index.isMultiple(of: 2) ? "train" : "test",
                "topic": index < 8 ? "a" : "b",
                "url": .string("u\(index)"),
                "length": .integer(Int64(index / 8)),
            ]
            return row("q\(index)", index < 12 ? "yes" : "no", fields)
        }
        let card = DatasetCard(of: rows)
        #expect(card.fields?.keys.sorted() == ["split", "topic"])
        #expect(card.fields?["topic"]?.entropy == 1)
        #expect(card.fields?["topic"]?.entropyMost == 1)
        #expect(card.splits?["train"]?.rows == 8)
        #expect(card.splits?["test"]?.answers?.values.map(\.rows) == [6, 2])
    }

    @Test
    func `the balance of judged rows is that of their labels, of prompts of their references`() {
        let judged = [true, true, false].enumerated().map { index, isGood -> DatasetRow in
            DatasetRow(
                .labelled([ChatMessage(role: .assistant, content: "x\(index)")], isGood: isGood),
                id: "\(index)")
        }
        #expect(DatasetCard(of: judged).answers?.values.map(\.text) == ["good", "bad"])
        let asked = ["4", "4", "5"].enumerated().map { index, reference -> DatasetRow in
            DatasetRow(
                .completion(prompt: "q\(index)", completion: ""), id: "\(index)",
                fields: ["reference": .string(reference)])
        }
        #expect(DatasetCard(of: asked).answers?.values.map(\.rows) == [2, 1])
    }
}

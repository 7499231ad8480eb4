import Datasets
import FlywheelCore
import Tokenizers

/// What became of the teachers' thoughts that the rows of a training carry.
struct Teaching: CustomStringConvertible {
    /// Rows with thoughts that are learned.
    private var taught = 0
    /// Rows with thoughts in tokens that the student has not, or has several of: learned as texts.
    private var foreign = 0
    /// Rows without thoughts, learned as texts.
    private var plain = 0
    /// Tokens with a distribution.
    private var tokens = 0

    /// Puts into `documents` what the teachers of their `rows` thought.
    init(
        _ documents: inout [TokenizedDocument], of rows: [DatasetRow], _ tokenizer: Tokenizer
    ) {
        let reader = TeacherReader(tokenizer)
        for (index, row) in rows.enumerated() {
            guard let teacher = TeacherTokens(row.fields["teacher"]?["logprobs"]) else {
                plain += 1
                continue
            }
            guard let read = reader.read(teacher) else {
                foreign += 1
                continue
            }
            taught += 1
            tokens += documents[index].teach(read)
        }
    }

    var description: String {
        """
        \(taught) rows were learned from their teacher's log-probabilities, \(tokens) tokens of them; \
        \(foreign) from the text alone, since the teacher's tokens are not the student's; \(plain) have \
        a text alone
        """
    }

    var json: JSONValue {
        [
            "taught": .integer(Int64(taught)), "tokens": .integer(Int64(tokens)),
            "foreign": .integer(Int64(foreign)), "plain": .integer(Int64(plain)),
            "sentence": .string(description),
        ]
    }
}

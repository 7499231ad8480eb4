import FlywheelCore
import Jobs
import Postgres

/// A step under the names of its table.
struct StepRow: Encodable {
    let record: StepRecord

    enum CodingKeys: String, CodingKey {
        case step, loss, tokens, ranks, metrics
        case learningRate = "learning_rate"
        case gradNorm = "grad_norm"
        case supervisedTokens = "supervised_tokens"
        case stepSeconds = "step_seconds"
        case weightsDigest = "weights_digest"
    }

    init(_ record: StepRecord) { self.record = record }

    func encode(to encoder: any Encoder) throws {
        var row = encoder.container(keyedBy: CodingKeys.self)
        try row.encode(record.step, forKey: .step)
        try row.encode(record.loss, forKey: .loss)
        try row.encode(record.learningRate, forKey: .learningRate)
        try row.encode(record.gradNorm, forKey: .gradNorm)
        try row.encode(record.tokens, forKey: .tokens)
        try row.encode(record.supervisedTokens, forKey: .supervisedTokens)
        try row.encode(record.stepSeconds, forKey: .stepSeconds)
        try row.encode(record.ranks, forKey: .ranks)
        try row.encode(record.weightsDigest, forKey: .weightsDigest)
        try row.encodeIfPresent(record.metrics, forKey: .metrics)
    }
}

/// Turns the errors that the schema raises on purpose into those that `JobStore` promises.
func translating<Output>(_ body: () async throws -> Output) async throws -> Output {
    do { return try await body() } catch let error as PostgresError {
        switch error.sqlState {
        case "FW002": throw ReplayDiffers(error.message)
        case "FW003": throw StoreRefusal(error.message)
        // What these classes name, data and integrity, no repetition mends.
        case let state? where ["22", "23"].contains(state.prefix(2)):
            throw StoreRefusal("\(error) Nothing of this was kept.")
        default: throw error
        }
    }
}

extension JSONValue {
    /// The value as PostgreSQL can keep it: its text has no NUL, which a model may well answer.
    var storable: JSONValue {
        switch self {
        case .string(let text): .string(Self.storable(text))
        case .array(let elements): .array(elements.map(\.storable))
        case .object(let members):
            .object(
                Dictionary(
                    members.map { (Self.storable($0.key), $0.value.storable) },
                    uniquingKeysWith: { first, _ in first }))
        case .null, .boolean, .integer, .number: self
        }
    }

    static func storable(_ text: String) -> String {
        text.utf8.contains(0) ? text.replacing("\0", with: "\u{FFFD}") : text
    }
}

/// The database knows a state that this program does not: it was migrated by a newer one.
struct UnknownState: Error, CustomStringConvertible {
    let text: String
    var description: String {
        "the database has jobs in a state `\(text)` that this version does not know; update it"
    }
}

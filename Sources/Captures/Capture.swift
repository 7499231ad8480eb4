public import FlywheelCore
public import Foundation

/// One call to a model as it is kept: what it was, how it went, and what was said.
///
/// The names of the coding keys are the columns of `flywheel.capture`.
public struct Capture: Codable, Sendable, Equatable {
    public enum Status: String, Codable, Sendable {
        /// The caller got the whole answer.
        case ok
        /// The upstream refused, or could not be reached.
        case failed
        /// The answer broke off: the upstream's end, or the caller's.
        case partial
    }

    /// Version 7, which says when the call began; the caller knows it as `x-request-id`.
    public var id: UUID
    /// What the call is one of many of, if the caller said so.
    public var task: String?
    /// Of the task, where its route decided who answers.
    public var taskVersion: Int?
    /// The model that the route named and nobody served, where the generalist answered in its place.
    public var missedModel: String?
    /// Calls of one conversation or one piece of work.
    public var episode: String?
    /// The caller's own id for this call.
    public var external: String?
    /// The name of the API key; nil for a call without one.
    public var key: String?
    /// The keyed hash of the person on whose behalf the call was made.
    public var endUser: String?
    /// The caller's own marks.
    public var tags: [String: String] = [:]
    /// `model` as it was asked for.
    public var requestedModel: String
    /// The name that the upstream was given.
    public var model: String
    public var upstream: String
    public var status: Status
    /// What the caller was answered with.
    public var httpStatus: Int
    public var isStreamed = false
    public var finishReason: String?
    /// The `code` or `type` of the upstream's error.
    public var error: String?
    /// The answer's own `id`.
    public var responseID: String?
    /// The upstream's `x-request-id`.
    public var upstreamRequestID: String?
    /// As in `traceparent`.
    public var trace: String?
    /// Of the caller; asks that the call be made once.
    public var idempotencyKey: String?
    /// SHA-256 of the request as it came.
    public var requestDigest: String?
    public var usage = Usage()
    /// In the currency of the price book; nil where no price is known.
    public var cost: Decimal?
    /// From the first byte of the request to the last of the reply.
    public var latencyMs: Double
    /// What of that was neither the upstream's nor the wire's.
    public var overheadMs: Double
    /// From the first byte of the request to the first of the answer.
    public var firstByteMs: Double?
    public var retries = 0
    /// Whether the caller said `store: true`.
    public var isMarked = false
    /// Whether the caller allowed what was said to be kept.
    public var isStored = true
    /// How many of each kind were taken out: `{"email": 2}`.
    public var redacted: [String: Int] = [:]

    public init(
        id: UUID, requestedModel: String, model: String, upstream: String, status: Status,
        httpStatus: Int, latencyMs: Double, overheadMs: Double
    ) {
        self.id = id
        self.requestedModel = requestedModel
        self.model = model
        self.upstream = upstream
        self.status = status
        self.httpStatus = httpStatus
        self.latencyMs = latencyMs
        self.overheadMs = overheadMs
    }

    enum CodingKeys: String, CodingKey {
        case id, task, episode, external, key, tags, model, upstream, status, error, trace, usage
        case cost, retries, redacted
        case taskVersion = "task_version"
        case missedModel = "missed_model"
        case endUser = "end_user"
        case requestedModel = "requested_model"
        case httpStatus = "http_status"
        case isStreamed = "is_streamed"
        case finishReason = "finish_reason"
        case responseID = "response_id"
        case upstreamRequestID = "upstream_request_id"
        case idempotencyKey = "idempotency_key"
        case requestDigest = "request_digest"
        case latencyMs = "latency_ms"
        case overheadMs = "overhead_ms"
        case firstByteMs = "first_byte_ms"
        case isMarked = "is_marked"
        case isStored = "is_stored"
    }
}

/// What a call used, in tokens, as the upstream counts them; nil where it did not say.
public struct Usage: Codable, Sendable, Equatable {
    public var promptTokens: Int?
    public var completionTokens: Int?
    /// Of the prompt's.
    public var cachedTokens: Int?
    /// Of the completion's.
    public var reasoningTokens: Int?

    public init(
        promptTokens: Int? = nil, completionTokens: Int? = nil, cachedTokens: Int? = nil,
        reasoningTokens: Int? = nil
    ) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cachedTokens = cachedTokens
        self.reasoningTokens = reasoningTokens
    }

    /// Reads the `usage` of an answer; counts that are no counts are none.
    public init(_ json: JSONValue) {
        func count(_ value: JSONValue?) -> Int? {
            value?.integer.flatMap { $0 >= 0 && $0 <= Int32.max ? Int($0) : nil }
        }
        promptTokens = count(json["prompt_tokens"])
        completionTokens = count(json["completion_tokens"])
        cachedTokens = count(json["prompt_tokens_details"]?["cached_tokens"])
        reasoningTokens = count(json["completion_tokens_details"]?["reasoning_tokens"])
    }

    /// What each of `newer` says replaces what was known.
    public mutating func take(_ newer: Usage) {
        promptTokens = newer.promptTokens ?? promptTokens
        completionTokens = newer.completionTokens ?? completionTokens
        cachedTokens = newer.cachedTokens ?? cachedTokens
        reasoningTokens = newer.reasoningTokens ?? reasoningTokens
    }
}

/// A capture with what was said, as JSON texts; nil where it is not kept.
public struct CapturedCall: Sendable, Equatable {
    public var capture: Capture
    public var request: [UInt8]?
    public var response: [UInt8]?

    public init(capture: Capture, request: [UInt8]? = nil, response: [UInt8]? = nil) {
        self.capture = capture
        self.request = request
        self.response = response
    }
}

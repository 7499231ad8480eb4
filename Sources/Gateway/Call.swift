import Captures
import FlywheelCore
import Foundation
import HTTPInterface
import HTTPTypes

/// One call while it is being answered.
struct Call: Sendable {
    let id: UUID
    let began: ContinuousClock.Instant
    /// As it came, before its task put anything around it.
    let asked: ChatRequest
    private(set) var request: ChatRequest
    let caller: Caller
    private(set) var routing: Routing
    let state: GatewayState
    /// What our own models cost, when one was asked.
    var serving: ServingState?

    var destination: Destination { routing.destination }

    init(
        id: UUID, began: ContinuousClock.Instant, asked: ChatRequest, caller: Caller,
        routing: Routing, state: GatewayState
    ) throws(APIError) {
        self.id = id
        self.began = began
        self.asked = asked
        request = try asked.prompted(by: routing)
        self.caller = caller
        self.routing = routing
        self.state = state
    }

    /// Turns the call to those who answer where its destination cannot; false where nobody does.
    mutating func fallBack() throws(APIError) -> Bool {
        guard let next = routing.fallingBack else { return false }
        request = try asked.prompted(by: next)
        routing = next
        return true
    }

    /// What was waited for that is not ours: the upstream, and the wire to it.
    var waited = Duration.zero
    var firstByteAt: ContinuousClock.Instant?
    var retries = 0
    var upstreamRequestID: String?

    /// What of the time so far was the gateway's own.
    var overhead: Duration { max(.zero, .now - began - waited) }

    /// Counts the time that `body` takes as the upstream's.
    mutating func waiting<Output>(_ body: () async throws -> Output) async rethrows -> Output {
        let start = ContinuousClock.now
        defer { waited += .now - start }
        return try await body()
    }

    /// The headers that every reply carries.
    func headers() -> HTTPFields {
        var fields: HTTPFields = [:]
        fields[.requestID] = id.text
        fields[.overhead] = Self.text(overhead.inMilliseconds)
        if let life = request.marks.tokenLife {
            let token = FeedbackToken(call: id, ends: Date() + life.inSeconds)
            fields[.feedbackToken] = token.text(secret: state.secret)
        }
        return fields
    }

    /// By the price book of the day, or of ours by what was taken of a slot; nil where it has no price,
    /// or nobody counted.
    func cost(of usage: Usage) -> Decimal? {
        if destination.isOwn { return serving?.cost(ofSlotSeconds: usage.slotSeconds) }
        return state.price(of: destination, on: id.day)?.cost(of: usage)
    }

    static func text(_ milliseconds: Double) -> String {
        String(format: "%.3f", milliseconds)
    }
}

/// How a call ended, for its capture.
struct Ending: Sendable {
    var status: Capture.Status
    var httpStatus: Int
    var error: String?
    /// The answer as JSON; nil where there was none.
    var response: [UInt8]?
    var responseID: String?
    var finishReason: String?
    var usage = Usage()
    var isStreamed = false

    init(_ status: Capture.Status, httpStatus: Int, error: String? = nil) {
        self.status = status
        self.httpStatus = httpStatus
        self.error = error
    }

    /// An answer in one piece.
    init(whole body: [UInt8], httpStatus: Int) {
        let isFine = 200..<300 ~= httpStatus
        self.init(isFine ? .ok : .failed, httpStatus: httpStatus)
        guard let json = try? JSONValue(parsing: body) else {
            response = Array(JSONValue.string(String(decoding: body, as: UTF8.self)).canonical.utf8)
            if isFine { status = .partial }
            error = error ?? "not_json"
            return
        }
        response = body
        responseID = json["id"]?.string
        finishReason = json["choices"]?[0]?["finish_reason"]?.string
        usage = Usage(json["usage"] ?? .null)
        if let problem = json["error"], problem != .null { error = Self.code(of: problem) }
    }

    /// The shortest name that an error has.
    static func code(of error: JSONValue) -> String {
        let text = error["code"]?.string ?? error["type"]?.string ?? error["message"]?.string
        return String((text ?? "error").prefix(200))
    }
}

extension HTTPField.Name {
    static let requestID = named("x-request-id")
    static let feedbackToken = named("x-flywheel-feedback-token")
    static let overhead = named("x-flywheel-overhead-ms")
    /// What the call cost by the price book, in its money; absent where that is not known.
    static let cost = named("x-flywheel-cost")

    static func named(_ name: String) -> Self {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is no header") }
        return name
    }
}

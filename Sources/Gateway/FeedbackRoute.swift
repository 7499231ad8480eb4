import Captures
import FlywheelCore
import Foundation
import HTTPInterface
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// `POST /v1/feedback`: keeps what is said of answers, before it says that it has.
///
/// A page may ask too, with a token: every reply allows any origin, since what is allowed depends on
/// the token alone and browsers add nothing to it by themselves.
struct FeedbackRoute: Sendable {
    static let itemsMax = 10_000

    let configuration: GatewayConfiguration
    let door: Door
    let keeper: StateKeeper
    let store: any CaptureStore
    let recorder: Recorder
    let recent = RecentFeedback()
    let ids: TimeOrderedIDs

    func add(to router: Router<CallContext>) {
        router.post("/v1/feedback") { request, _ in
            var response: Response
            do { response = try await respond(to: request) } catch let error as APIError {
                response = error.response
            }
            for field in Self.anyOrigin { response.headers[field.name] = field.value }
            return response
        }
        router.on("/v1/feedback", method: .options) { _, _ in
            Response(status: .noContent, headers: Self.anyOrigin)
        }
    }

    private static let anyOrigin: HTTPFields = [
        .accessControlAllowOrigin: "*", .accessControlAllowMethods: "POST, OPTIONS",
        .accessControlAllowHeaders: "authorization, content-type, idempotency-key",
        .accessControlMaxAge: "86400",
    ]

    private func respond(to request: Request) async throws -> Response {
        let limit = configuration.limits.requestBytes
        guard let buffer = try? await request.body.collect(upTo: limit) else {
            throw APIError(
                status: .contentTooLarge,
                message: "The body is larger than \(limit) bytes. Nothing was kept.",
                type: "invalid_request_error", code: "request_too_large",
                headers: [.connection: "close"])
        }
        guard let state = keeper.state else { throw APIError.notReady }
        let items = try FeedbackBody.items(Array(buffer.readableBytesView), most: Self.itemsMax)
        let giver = try await giver(request.headers, items, state)
        let made = try items.enumerated().map { index, item throws(APIError) in
            do throws(InputError) {
                return try feedback(
                    item.text, giver, request.headers, state, isOnly: items.count == 1)
            } catch {
                let place = item.place.map { $0 + ": " } ?? ""
                throw .invalid("\(place)\(error.description) Nothing was kept.", param: error.field)
            }
        }
        for feedback in made where feedback.role > giver.roleMax {
            throw APIError(
                status: .forbidden,
                message: "This key may speak as `\(giver.roleMax.rawValue)` at most, and not as "
                    + "`\(feedback.role.rawValue)`. Nothing was kept; `flywheel keys create --scope "
                    + "feedback:\(feedback.role.rawValue)` makes one that may.",
                type: "invalid_request_error", param: "source.role", code: "role_not_allowed")
        }
        try await checkScores(made, items, state)
        let isNew = try await keep(made)
        let rows = zip(made, isNew).map { feedback, isNew -> JSONValue in
            ["id": .string(feedback.id.text), "object": "feedback", "repeated": .boolean(!isNew)]
        }
        return Response(
            json: items[0].place == nil
                ? rows[0] : ["object": "list", "data": .array(Array(rows))])
    }

    // MARK: Who speaks

    /// Who gives feedback, and what they may say.
    private struct Giver {
        var key: String?
        var roleMax: SourceRole
        /// The only call that they may speak of.
        var call: UUID?

        /// Whose idempotency keys are one set: of everybody with a token for one call.
        var speaker: String? { call.map { "token \($0.text)" } ?? key.map { "key \($0)" } }
    }

    private func giver(
        _ headers: HTTPFields, _ items: [FeedbackBody.Item], _ state: GatewayState
    ) async throws(APIError) -> Giver {
        if let text = Self.token(headers, items) {
            guard let token = FeedbackToken(text, secret: state.secret) else {
                throw Self.refusal("This token was not made here.", code: "invalid_token")
            }
            guard token.ends > Date() else {
                throw Self.refusal("This token has expired.", code: "token_expired")
            }
            return Giver(key: "token", roleMax: .user, call: token.call)
        }
        let caller = try await door.admit(headers)
        guard let key = caller.key else {
            // Whoever opens a page on this machine would speak as this machine.
            guard headers[.origin] == nil else {
                throw Self.refusal(
                    "A page needs a token: ask for one with `x-flywheel-feedback: token` when the "
                        + "call is made.", code: "token_missing")
            }
            return Giver(roleMax: .expert)
        }
        let roles = caller.scopes.compactMap { scope -> SourceRole? in
            if scope == "feedback" { return .program }
            guard scope.hasPrefix("feedback:") else { return nil }
            return SourceRole(rawValue: String(scope.dropFirst("feedback:".count)))
        }
        guard let roleMax = roles.max() else { throw .missingScope("feedback", key) }
        return Giver(key: key, roleMax: roleMax)
    }

    private static func token(_ headers: HTTPFields, _ items: [FeedbackBody.Item]) -> String? {
        if let secret = headers[.authorization].flatMap(Door.bearer),
            secret.hasPrefix(FeedbackToken.prefix)
        {
            return secret
        }
        return items.count == 1 ? items[0].text["token"]?.string : nil
    }

    private static func refusal(_ message: String, code: String) -> APIError {
        APIError(
            status: .unauthorized, message: message + " Nothing was kept.",
            type: "invalid_request_error", code: code)
    }

    // MARK: What is said

    private func feedback(
        _ text: JSONObjectText, _ giver: Giver, _ headers: HTTPFields, _ state: GatewayState,
        isOnly: Bool
    ) throws(InputError) -> Feedback {
        let item = try FeedbackItem(text, call: giver.call, limits: configuration.limits)
        let once = item.idempotencyKey ?? (isOnly ? headers.text("idempotency-key") : nil)
        let role = item.role ?? .user
        var redactor = Redactor(redacted(task: item.task, state))
        var target = item.target
        target.id = redactor.redact(target.id) ?? target.id
        var feedback = Feedback(
            id: once.map { Feedback.id(underKey: $0, of: giver.speaker) } ?? ids.next(),
            digest: item.digest, target: target, name: item.name,
            source: item.source.map { role == .program ? $0 : state.endUser($0) } ?? "anonymous",
            role: role, at: item.at ?? Date())
        feedback.key = giver.key
        feedback.task = item.task
        feedback.correction = item.correction.map {
            String(decoding: redactor.redact(json: $0), as: UTF8.self)
        }
        feedback.value =
            if case .string(let text)? = item.value {
                .string(redactor.redact(text) ?? text)
            } else { item.value }
        feedback.tags = item.tags.mapValues { redactor.redact($0) ?? $0 }
        feedback.redacted = Dictionary(
            uniqueKeysWithValues: redactor.counts.map { ($0.key.rawValue, $0.value) })
        return feedback
    }

    /// How many scores of one request are looked up at most; of others the database keeps what it was said,
    /// and counts none that is beyond its range.
    private static let lookupsMax = 200

    /// Refuses a score that its task does not know; of which task a call was, the database says best.
    private func checkScores(
        _ feedback: [Feedback], _ items: [FeedbackBody.Item], _ state: GatewayState
    ) async throws(APIError) {
        guard state.tasks.contains(where: { $0.scoreRange != nil }) else { return }
        let scores = feedback.filter { $0.name == .score }
        guard !scores.isEmpty else { return }
        let known =
            keeper.outage == nil && scores.count <= Self.lookupsMax
            ? (try? await store.tasks(spokenOfBy: scores)) ?? [:] : [:]
        for (item, feedback) in zip(items, feedback) where feedback.name == .score {
            guard let name = known[feedback.id] ?? feedback.task,
                let range = state.task(name)?.scoreRange, range.count == 2,
                let score = feedback.value?.number, !(range[0]...range[1]).contains(score)
            else { continue }
            let place = item.place.map { $0 + ": " } ?? ""
            throw .invalid(
                "\(place)value: a score of `\(name)` goes from \(range[0].plain) to \(range[1].plain), and "
                    + "this is \(score.plain). Nothing was kept.", param: "value")
        }
    }

    /// What the task asks for; of a task that is not named, what any asks for.
    private func redacted(task: String?, _ state: GatewayState) -> Set<PersonalDatum> {
        if let task = task.flatMap(state.task) { return configuration.redacted.union(task.redact) }
        return state.tasks.reduce(configuration.redacted) { $0.union($1.redact) }
    }

    // MARK: Once

    /// Has all of `feedback` kept that is new, or none where one is in conflict; which were new.
    private func keep(_ feedback: [Feedback]) async throws(APIError) -> [Bool] {
        try await learn(of: feedback)
        var isNew: [Bool] = []
        var noted: [Feedback] = []
        for item in feedback {
            // An id of version 7 was made here, and is new.
            let found =
                item.id.timeMade == nil
                ? recent.note(item.id, item.digest, isKept: false) : .new
            guard found != .conflict else {
                recent.forget(noted)
                throw APIError(
                    status: .conflict,
                    message:
                        "The idempotency key of this feedback was used with another body, which "
                        + "counts. Nothing was kept.",
                    type: "invalid_request_error", param: "idempotency_key",
                    code: "idempotency_conflict")
            }
            isNew.append(found == .new)
            if found == .new { noted.append(item) }
        }
        guard !noted.isEmpty else { return isNew }
        do {
            try await recorder.record(noted)
        } catch {
            recent.forget(noted)
            throw APIError(
                status: .serviceUnavailable, message: "It cannot be kept now: \(error).",
                type: "api_error", code: "spool_full", headers: [.retryAfter: "5"])
        }
        recent.keep(noted)
        return isNew
    }

    /// Asks the database for what was said before this gateway began; without it, the database decides
    /// when it has both.
    private func learn(of feedback: [Feedback]) async throws(APIError) {
        let unknown = feedback.map(\.id).filter { $0.timeMade == nil && !recent.knows($0) }
        guard !unknown.isEmpty, keeper.outage == nil,
            let digests = try? await store.digests(ofFeedback: unknown)
        else { return }
        for (id, digest) in digests { _ = recent.note(id, digest, isKept: true) }
    }
}

extension Double {
    /// As a person writes it: whole numbers without a point.
    fileprivate var plain: String {
        rounded() == self && magnitude < 1e15 ? "\(Int64(self))" : "\(self)"
    }
}

extension APIError {
    static let notReady = APIError(
        status: .serviceUnavailable,
        message: "The gateway has not reached its database yet.", type: "api_error",
        code: "not_ready", headers: [.retryAfter: "1"])

    static func missingScope(_ scope: String, _ key: String) -> Self {
        APIError(
            status: .forbidden,
            message: "The key `\(key)` may not do this: its scopes lack `\(scope)`.",
            type: "invalid_request_error", code: "insufficient_scope")
    }
}

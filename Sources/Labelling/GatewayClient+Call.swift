import AsyncHTTPClient
import Captures
import FlywheelCore
import Foundation
import NIOCore
import NIOHTTP1

extension GatewayClient {
    /// What became of a question.
    enum Ended: Sendable {
        case reply(Reply)
        /// It met errors, and nobody was answered yet: the last error.
        case postponed(Question, String)
    }

    /// What one try came to.
    private enum Try {
        case ended(Reply)
        /// Ask again, after the pause that was asked for.
        case again(String, pause: Duration?, isHaste: Bool, isGatewayAway: Bool)
    }

    /// Asks until there is an answer, or no reason to ask again.
    func reply(to question: Question) async throws -> Ended {
        let began = ContinuousClock.now
        var awaySince: ContinuousClock.Instant?
        var backoff = Backoff(first: configuration.pause, longest: configuration.pauseMax)
        let body = ByteBuffer(string: question.body.canonical)
        var tries = 0
        first.ask(question.id)
        while true {
            try await pace.wait()
            switch try await ask(question, body) {
            case .ended(var reply):
                reply.retries = tries
                reply.duration = .now - began
                pace.answered()
                first.speak()
                return .reply(reply)
            case .again(let reason, let asked, let isHaste, let isGatewayAway):
                if isGatewayAway {
                    // Nothing was asked of any model, so it is no try.
                    let since = awaySince ?? .now
                    awaySince = since
                    guard .now - since < configuration.patience else {
                        throw GatewayRefusal(
                            "The gateway at \(configuration.gateway) does not answer: \(reason).",
                            isInput: false)
                    }
                } else {
                    awaySince = nil
                    tries += 1
                    switch isHaste ? .goOn : first.fail(question.id, tries: tries) {
                    case .goOn: break
                    case .postpone: return .postponed(question, reason)
                    case .nobodyAnswers(let count):
                        throw nobodyAnswers(question, count: count, reason)
                    }
                    guard tries < configuration.tries else {
                        return .reply(
                            refusal(of: question, "asked \(tries) times; at last: \(reason)"))
                    }
                }
                let pause = asked ?? backoff.next()
                guard pause <= configuration.pauseMax * 2 else {
                    throw GatewayRefusal(
                        "The upstream asks for a pause of \(pause): \(reason).", isInput: false)
                }
                if isHaste { pace.refused(pause: pause) }
                try await Task.sleep(for: pause)
            }
        }
    }

    /// The sentence for a model of which nothing comes but errors.
    func nobodyAnswers(
        _ question: Question, count: Int, _ reason: String
    ) -> GatewayRefusal {
        let model = question.body["model"]?.string ?? "the model"
        let upstream = model.split(separator: "/").first.map(String.init) ?? model
        return GatewayRefusal(
            """
            \(model) answers with nothing but errors: \(count) \(count == 1 ? "question was" : "questions were") \
            put to it, each at least \(FirstAnswers.triesMax) times through the gateway, and at last it said \(reason). None was \
            answered, so none was paid. See whether `flywheel upstreams check \(upstream)` finds it well, and \
            `flywheel jobs retry` the job once it answers.
            """, isInput: false)
    }

    private func refusal(of question: Question, _ reason: String) -> Reply {
        Reply(
            id: question.id, outcome: .refused(reason), usage: Usage(), retries: 0, duration: .zero)
    }

    private func ask(_ question: Question, _ body: ByteBuffer) async throws -> Try {
        var request = HTTPClientRequest(url: configuration.gateway + "/v1/chat/completions")
        request.method = .POST
        request.headers = headers(for: question)
        request.body = .bytes(body)
        do {
            let response = try await http.execute(
                request, timeout: .nanoseconds(Int64(configuration.timeout / .nanoseconds(1))))
            let text = try await response.body.collect(upTo: 128 << 20)
            return try read(response, Array(text.readableBytesView), question)
        } catch let error as GatewayRefusal {
            throw error
        } catch let error as HTTPClientError
            where [.deadlineExceeded, .readTimeout].contains(error)
        {
            return .ended(
                refusal(of: question, "no answer within \(configuration.timeout)"))
        } catch {
            try Task.checkCancellation()
            let reason = (error as? HTTPClientError)?.shortDescription ?? "\(error)"
            return .again(reason, pause: nil, isHaste: false, isGatewayAway: true)
        }
    }

    private func headers(for question: Question) -> HTTPHeaders {
        let key = Digest(of: "\(configuration.scope)\n\(question.id)").hex
        var headers: HTTPHeaders = [
            "content-type": "application/json", "x-flywheel-task": configuration.task,
            "idempotency-key": "flywheel-\(key.prefix(40))",
        ]
        let isPlain = question.id.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        if isPlain, question.id.utf8.count <= 256 {
            headers.add(name: "x-flywheel-external-id", value: question.id)
        }
        if let key = configuration.key {
            headers.add(name: "authorization", value: "Bearer \(key)")
        }
        return headers
    }

    private func read(
        _ response: HTTPClientResponse, _ bytes: [UInt8], _ question: Question
    ) throws(GatewayRefusal) -> Try {
        let json = (try? JSONValue(parsing: bytes)) ?? .null
        let status = response.status.code
        if status == 200, json["choices"]?[0] != nil {
            return .ended(
                Reply(
                    id: question.id, outcome: .answered(json), usage: Usage(json["usage"] ?? .null),
                    cost: response.headers.first(name: "x-flywheel-cost")
                        .flatMap { Decimal(plain: $0) },
                    call: response.headers.first(name: "x-request-id"), retries: 0, duration: .zero)
            )
        }
        let error = json["error"]
        let code = error?["code"]?.string ?? ""
        let said = error?["message"]?.string ?? String(decoding: bytes.prefix(300), as: UTF8.self)
        let reason = "\(status): \(said)"
        switch status {
        case 401, 402, 403, 404:
            throw GatewayRefusal("The gateway answered \(reason)", isInput: true)
        case _ where code == "insufficient_quota" || code == "upstream_key_refused":
            throw GatewayRefusal("The upstream wants no more: \(reason)", isInput: true)
        case 504 where code == "upstream_timeout":
            return .ended(refusal(of: question, reason))
        case 408, 409, 429, 500...599:
            let asked = RetryAfter.pause { response.headers.first(name: $0) }
            return .again(
                reason, pause: asked, isHaste: status == 429 || asked != nil,
                isGatewayAway: code == "not_ready")
        case 200:
            return .ended(refusal(of: question, "the answer is no chat completion"))
        default:
            return .ended(refusal(of: question, reason))
        }
    }
}

import AsyncHTTPClient
import Captures
import FlywheelCore
import Foundation
import HTTPInterface
import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks upstreams, again where nothing has been answered yet and another try may help.
struct UpstreamClient: Sendable {
    let http: HTTPClient
    let configuration: GatewayConfiguration

    /// What an upstream answered, before its body is read.
    struct Answer: Sendable {
        enum Body: Sendable {
            /// Read already, to decide whether to try again.
            case whole(ByteBuffer)
            case coming(HTTPClientResponse.Body)
        }
        var status: HTTPResponse.Status
        var headers: HTTPHeaders
        var body: Body
        var retries: Int

        var isStream: Bool {
            headers.first(name: "content-type")?.lowercased().hasPrefix("text/event-stream")
                ?? false
        }
    }

    /// Sends `body` to `upstream`; throws `APIError` where no answer came, and `CancellationError`.
    func ask(
        _ upstream: Upstream, body: [UInt8], headers given: HTTPFields, caller: Caller
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: upstream.url + "/chat/completions")
        request.method = .POST
        request.headers = try headers(for: upstream, given, caller)
        request.body = .bytes(ByteBuffer(bytes: body))
        let limits = configuration.limits
        var backoff = Backoff(first: limits.retryPause, longest: limits.retryPauseMax)
        for attempt in 0... {
            let isLast = attempt >= limits.retries
            do {
                let response = try await http.execute(
                    request, timeout: .nanoseconds(limits.silence.nanoseconds))
                let answer = Answer(
                    status: .init(code: Int(response.status.code)), headers: response.headers,
                    body: .coming(response.body), retries: attempt)
                guard !isLast, Self.isPassing(answer.status) else { return answer }
                let (again, whole) = await pauseAsked(by: answer, response.body, backoff.next())
                guard let pause = again else { return whole }
                try await Task.sleep(for: pause)
            } catch {
                try Task.checkCancellation()
                guard !isLast, Self.isPassing(error) else {
                    throw Self.failure(of: upstream, error, limits, retries: attempt)
                }
                try await Task.sleep(for: backoff.next())
            }
        }
        preconditionFailure("the last attempt returns or throws")
    }

    /// Sends `body` to a server of ours, once; an answer in one piece is read whole, and of a stream the
    /// first piece, so that what breaks off before is an error too.
    func askOnce(
        _ upstream: Upstream, body: [UInt8], headers given: HTTPFields, caller: Caller, limit: Int
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: upstream.url + "/chat/completions")
        request.method = .POST
        request.headers = try headers(for: upstream, given, caller)
        request.headers.add(name: "x-flywheel-slot-time", value: "1")
        request.body = .bytes(ByteBuffer(bytes: body))
        let limits = configuration.limits
        do {
            let response = try await http.execute(
                request, timeout: .nanoseconds(limits.silence.nanoseconds))
            var answer = Answer(
                status: .init(code: Int(response.status.code)), headers: response.headers,
                body: .coming(response.body), retries: 0)
            answer.body =
                answer.isStream
                ? .coming(.stream(try await StartedBody(response.body)))
                : .whole(try await response.body.collect(upTo: limit))
            return answer
        } catch {
            try Task.checkCancellation()
            throw Self.failure(of: upstream, error, limits, retries: 0)
        }
    }

    /// The headers for an upstream: its own secret, and of the caller's what is meant for it.
    func headers(
        for upstream: Upstream, _ given: HTTPFields, _ caller: Caller
    ) throws(APIError) -> HTTPHeaders {
        var headers: HTTPHeaders = ["content-type": "application/json"]
        headers.add(name: "accept", value: given[.accept] ?? "application/json")
        headers.add(name: "user-agent", value: "flywheel")
        for name in [
            "openai-organization", "openai-project", "openai-beta", "traceparent",
            "tracestate", "idempotency-key",
        ] {
            if let value = given.text(name) { headers.add(name: name, value: value) }
        }
        switch upstream.key {
        case nil: break
        case Upstream.callersKey?:
            if let secret = caller.authorization {
                headers.add(name: "authorization", value: secret)
            }
        case let variable?:
            guard let secret = configuration.secrets[variable], !secret.isEmpty else {
                throw .upstream(
                    .serviceUnavailable,
                    """
                    The secret of upstream `\(upstream.name)` is missing: \(variable) is not set in the \
                    gateway's environment. Nothing was asked of it.
                    """, code: "upstream_key_missing")
            }
            headers.add(name: "authorization", value: "Bearer \(secret)")
        }
        return headers
    }

    /// Whether the same call may be answered otherwise a little later.
    private static func isPassing(_ status: HTTPResponse.Status) -> Bool {
        [408, 409, 429, 500, 502, 503, 504].contains(status.code)
    }

    private static func isPassing(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError:
            [.remoteConnectionClosed, .connectTimeout, .getConnectionFromPoolTimeout].contains(
                error)
        default: true
        }
    }

    /// How long to wait before the next try; nil where the answer is final.
    private func pauseAsked(
        by answer: Answer, _ body: HTTPClientResponse.Body, _ pause: Duration
    ) async -> (Duration?, Answer) {
        var whole = answer
        let text = (try? await body.collect(upTo: 1 << 20)) ?? ByteBuffer()
        whole.body = .whole(text)
        if answer.headers.first(name: "x-should-retry") == "false" { return (nil, whole) }
        let error = (try? JSONValue(parsing: text.readableBytesView))?["error"]
        // More money is needed, not more time.
        if error?["code"]?.string == "insufficient_quota" { return (nil, whole) }
        guard let asked = RetryAfter.pause({ answer.headers.first(name: $0) }) else {
            return (pause, whole)
        }
        return asked <= configuration.limits.retryPauseMax ? (asked, whole) : (nil, whole)
    }

    private static func failure(
        of upstream: Upstream, _ error: any Error, _ limits: GatewayConfiguration.Limits,
        retries: Int
    ) -> APIError {
        let tries = retries == 0 ? "" : " after \(retries + 1) tries"
        if let error = error as? HTTPClientError,
            [.readTimeout, .deadlineExceeded].contains(error)
        {
            return .upstream(
                .gatewayTimeout,
                "Upstream `\(upstream.name)` said nothing for \(limits.silence)\(tries).",
                code: "upstream_timeout")
        }
        return .upstream(
            .badGateway,
            "Upstream `\(upstream.name)` (\(upstream.url)) could not be reached\(tries): \(reason(error)).",
            code: "upstream_unreachable")
    }

    /// What went wrong, in few words and without anything that was sent.
    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError: error.shortDescription
        case let error as IOError: unsafe String(cString: strerror(error.errnoCode))
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { reason($0.error) } ?? "its name is unknown"
        default: "\(error)"
        }
    }
}

extension Duration {
    var nanoseconds: Int64 { Int64(self / .nanoseconds(1)) }
    var inMilliseconds: Double { self / .milliseconds(1) }
    var inSeconds: Double { self / .seconds(1) }
}

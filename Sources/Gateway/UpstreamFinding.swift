import AsyncHTTPClient
public import Captures
public import FlywheelCore
import HTTPInterface
import HTTPTypes
import NIOCore
import NIOHTTP1

/// What became of asking an upstream whether it answers.
public struct UpstreamFinding: Sendable {
    public var name: String
    public var isFine: Bool
    /// What happened, for a person.
    public var sentence: String

    public var json: JSONValue {
        ["upstream": .string(name), "ok": .boolean(isFine), "said": .string(sentence)]
    }

    /// Asks for its list of models, which costs nothing; where it has none, for one token.
    public static func check(_ upstream: Upstream, secrets: [String: String]) async -> Self {
        let http = HTTPClient(eventLoopGroupProvider: .singleton)
        var configuration = GatewayConfiguration(spoolRoot: "")
        configuration.secrets = secrets
        configuration.limits.retries = 0
        configuration.limits.silence = .seconds(30)
        let client = UpstreamClient(http: http, configuration: configuration)
        let (isFine, said) = await ask(upstream, client)
        try? await http.shutdown()
        return Self(name: upstream.name, isFine: isFine, sentence: "\(upstream.name): \(said)")
    }

    private static func ask(
        _ upstream: Upstream, _ client: UpstreamClient
    ) async -> (isFine: Bool, said: String) {
        let clock = ContinuousClock()
        let start = clock.now
        do {
            var request = HTTPClientRequest(url: upstream.url + "/models")
            request.headers = try client.headers(for: upstream, [:], Caller())
            let response = try await client.http.execute(request, timeout: .seconds(30))
            let body = try await response.body.collect(upTo: 16 << 20)
            let time = Call.text((clock.now - start).inMilliseconds)
            if response.status.code == 200,
                let models = (try? JSONValue(parsing: body.readableBytesView))?["data"]?.array
            {
                return listed(models.compactMap { $0["id"]?.string }, upstream, time)
            }
            guard response.status.code == 404 || response.status.code == 405 else {
                return (false, refusal(Int(response.status.code), body))
            }
            return try await askForAToken(upstream, client)
        } catch let error as APIError {
            return (false, error.message)
        } catch {
            return (false, "\(upstream.url) cannot be reached: \(UpstreamClient.reason(error)).")
        }
    }

    private static func listed(
        _ models: [String], _ upstream: Upstream, _ time: String
    ) -> (Bool, String) {
        let missing = upstream.models.filter { !models.contains($0) }
        guard missing.isEmpty else {
            let near = missing.compactMap { nearest(to: $0, among: models) }
            return (
                false,
                "it answers, and does not list \(missing.joined(separator: ", "))"
                    + (near.isEmpty ? "." : "; it has \(near.joined(separator: ", ")).")
            )
        }
        return (true, "it answers in \(time) ms and lists \(models.count) models.")
    }

    private static func askForAToken(
        _ upstream: Upstream, _ client: UpstreamClient
    ) async throws -> (Bool, String) {
        guard let model = upstream.models.first else {
            return (true, "it answers, and lists no models.")
        }
        let question: JSONValue = [
            "model": .string(model), "max_tokens": 1,
            "messages": [["role": "user", "content": "Say yes."]],
        ]
        let answer = try await client.ask(
            upstream, body: Array(question.canonical.utf8), headers: [:], caller: Caller())
        guard case .coming(let coming) = answer.body else { return (false, "it said nothing.") }
        let body = try await coming.collect(upTo: 16 << 20)
        guard answer.status.code == 200 else { return (false, refusal(answer.status.code, body)) }
        return (true, "it lists no models, and \(model) answers.")
    }

    private static func refusal(_ status: Int, _ body: ByteBuffer) -> String {
        let error = (try? JSONValue(parsing: body.readableBytesView))?["error"]
        let said = error?["message"]?.string ?? String(buffer: body)
        return "it answered \(status): \(said.prefix(300))"
    }
}

import AsyncHTTPClient
import FlywheelCore
import Foundation
import Labelling
import NIOCore
import NIOHTTP1

/// The users of the demo's product, on the far side of the gateway: they ask, and react to what they
/// are told.
struct DemoTraffic {
    /// What a round of calls came to, as those saw it who asked.
    struct Told: Equatable {
        var answered = 0
        var refused = 0
        var accepted = 0
        var corrected = 0
        var seconds = 0.0
        /// Why the asking ended early, as a clause.
        var halt: String?
    }

    /// Up to and without `/v1`.
    let gateway: String
    /// The task that is asked for.
    let task: String
    /// What users may take a section for.
    let sections: [String]
    /// Whether they say what they think.
    let isHeard: Bool
    /// What the calls of a round may cost, where somebody else is paid for them.
    var budget = Budget()

    /// Pieces of feedback in one request.
    private static let piecesMax = 500

    /// Asks about `packages`, each once, and sends the reactions in bulk.
    func send(_ packages: [PackageSections.Package], round: String) async throws -> Told {
        let byName = Dictionary(packages.map { ($0.name, $0) }) { first, _ in first }
        var configuration = GatewayClient.Configuration(
            gateway: gateway, task: task, scope: "\(task) \(round)")
        configuration.budget = budget
        let began = ContinuousClock.now
        var told = Told()
        var reactions: [JSONValue] = []
        try await GatewayClient.with(configuration) { client in
            var spent = Spending()
            let halt = try await client.ask(packages.lazy.map(question), spent: &spent) { reply in
                guard let answer = reply.text, let call = reply.call,
                    let package = byName[reply.id]
                else {
                    told.refused += 1
                    return true
                }
                told.answered += 1
                let said = answer.trimmingCharacters(in: .whitespacesAndNewlines)
                if isHeard, let reaction = reaction(to: said, about: package, call, &told) {
                    reactions.append(reaction)
                }
                return true
            }
            if case .budget(let sentence) = halt { told.halt = sentence }
        }
        for first in stride(from: 0, to: reactions.count, by: Self.piecesMax) {
            let piece = reactions[first..<min(first + Self.piecesMax, reactions.count)]
            try await post(.array(Array(piece)), to: "/v1/feedback")
        }
        told.seconds = (ContinuousClock.now - began) / .seconds(1)
        return told
    }

    /// Waits until the gateway knows the task, which it hears of within seconds.
    func waitUntilAnswered() async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            let request = HTTPClientRequest(url: gateway + "/v1/models/" + task)
            let response = try? await HTTPClient.shared.execute(request, timeout: .seconds(5))
            if response?.status == .ok { return }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw ServiceUnavailable("The gateway at \(gateway) does not know \(task).", remedy: "")
    }

    private func question(about package: PackageSections.Package) -> Question {
        Question(
            id: package.name,
            body: [
                "model": .string(task), "temperature": 0, "max_tokens": 12,
                "user": .string(DemoUser.asking(about: package).name),
                "messages": [["role": "user", "content": .string(package.question)]],
            ])
    }

    private func reaction(
        to answer: String, about package: PackageSections.Package, _ call: String,
        _ told: inout Told
    ) -> JSONValue? {
        let user = DemoUser.asking(about: package)
        var feedback: [String: JSONValue] = [
            "inference": .string(call), "idempotency_key": .string("\(user.name) on \(call)"),
            "source": ["id": .string(user.name), "role": "user"],
        ]
        switch user.reaction(to: answer, about: package, sections: sections) {
        case .saysNothing: return nil
        case .accepts:
            told.accepted += 1
            feedback["name"] = "accepted"
        case .corrects(let section):
            told.corrected += 1
            feedback["name"] = "correction"
            feedback["correction"] = ["content": .string(section)]
        }
        return .object(feedback)
    }

    private func post(_ body: JSONValue, to path: String) async throws {
        var request = HTTPClientRequest(url: gateway + path)
        request.method = .POST
        request.headers = ["content-type": "application/json"]
        request.body = .bytes(ByteBuffer(string: body.canonical))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        guard response.status == .ok || response.status == .accepted else {
            let said = String(buffer: try await response.body.collect(upTo: 1 << 20)).prefix(300)
            throw ServiceUnavailable("The gateway took no feedback: \(said)", remedy: "")
        }
    }
}

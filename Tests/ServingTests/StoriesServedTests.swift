import FlywheelCore
import Foundation
import TestSupport
import Testing

private let storiesFolder = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]
    .map { $0 + "/stories260k" }

@Suite(.enabled(if: storiesFolder != nil, "set FLYWHEEL_TEST_DATA to the data folder"))
struct `Serving stories` {
    @Test func `greedy stories are the recorded ones`() async throws {
        let folder = try #require(storiesFolder)
        let text = try Data(contentsOf: URL(fileURLWithPath: folder + "/reference_outputs.json"))
        let stories = try JSONValue(parsing: text)["greedy"]?.array ?? []
        #expect(!stories.isEmpty)
        try await ServerProcess.lend(folder) { server in
            for story in stories {
                let prompt = try #require(story["prompt_ids"]?.array)
                let ids = try #require(story["ids"]?.array)
                let reply = try await server.send(
                    "completions",
                    [
                        "model": "stories260k", "prompt": .array(prompt), "temperature": 0,
                        "max_tokens": .integer(Int64(ids.count - prompt.count)),
                        "return_token_ids": true,
                    ])
                let written = reply.json["choices"]?[0]?["token_ids"]?.array ?? []
                #expect(prompt + written == ids, "\(reply.text)")
            }
            // It has no chat template, and says so.
            let chat = try await server.send(
                "chat/completions", `Serving chats`.question.with(["model": "stories260k"]))
            #expect(chat.status == 400 && chat.json["error"]?["param"] == "messages")
        }
    }
}

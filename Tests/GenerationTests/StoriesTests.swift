import Foundation
import Generation
import Models
import Testing

private let storiesFolder = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]
    .map { $0 + "/stories260k" }

@Suite(.enabled(if: storiesFolder != nil, "set FLYWHEEL_TEST_DATA to the data folder"))
struct Stories {
    struct Reference: Decodable {
        struct Greedy: Decodable {
            var prompt_ids: [Int32]
            var ids: [Int32]
        }
        var greedy: [Greedy]
    }

    @Test func `greedy stories are the recorded ones`() throws {
        let folder = try #require(storiesFolder)
        let text = try Data(contentsOf: URL(fileURLWithPath: folder + "/reference_outputs.json"))
        let reference = try JSONDecoder().decode(Reference.self, from: text)
        let model = try Transformer(folder: folder, rowTokensMax: 8, isTraining: false)
        for it in reference.greedy {
            let answer = try Generator(model: model).generate(
                prompts: [it.prompt_ids],
                sampling: Sampling(maxTokens: it.ids.count - it.prompt_ids.count))
            #expect(it.prompt_ids + answer[0].tokens == it.ids)
        }
    }
}

import FlywheelCore
import Testing

@Suite struct NearestNames {
    @Test func `a slip of the finger finds its name`() {
        #expect(nearest(to: "rnak", among: ["rank", "alpha", "type"]) == "rank")
        #expect(nearest(to: "learning_rate", among: ["learningRate", "warmup"]) == "learningRate")
    }

    @Test func `a foreign name finds none`() {
        #expect(nearest(to: "banana", among: ["rank", "alpha", "type"]) == nil)
    }
}

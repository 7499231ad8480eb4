import FlywheelCore
import TestSupport

/// What drills train: a tiny model, and rows that it can learn and the test can make.
enum Lesson {
    /// Long enough that a training can be hit in its middle.
    static let steps = 300
    static let checkpointSteps = 10

    /// Two ranks unless said otherwise.
    ///
    /// - Parameter atLeast: with how few it goes on where there is no room for `ranks`.
    static func training(
        ranks: Int = 2, name: String = "shapes", steps: Int = steps, atLeast: Int? = nil
    ) -> String {
        """
        kind: train
        name: \(name)
        model:
          new: {architecture: llama, hidden: 32, layers: 2, heads: 2, keyValueHeads: 1,
                intermediate: 64, vocabulary: 320, positionsMax: 128}
        data: shapes@latest
        validation: {share: 0.05, everySteps: 50}
        schedule: {steps: \(steps), learningRate: 3.0e-3, warmup: 0.1}
        batch: {lanes: 4, laneRows: 16, rowTokens: 128, seed: 7}
        ranks: {min: \(atLeast ?? ranks), max: \(ranks)}
        checkpoint: {everySteps: \(checkpointSteps)}
        overlong: drop

        """
    }

    /// An examination after the training in the same file.
    static let examination = """
        ---
        kind: evaluate
        name: shapes-exam
        model: shapes
        golden: shapes-golden@latest
        graders: [{type: exact}]
        gate: {metric: accuracy, margin: 0.01, promote: true}
        maxTokens: 8
        ranks: {min: 1, max: 2}
        after: [shapes]

        """

    private static let kinds = [
        "ball": "round", "wheel": "round", "coin": "round", "box": "square", "tile": "square",
        "die": "square", "road": "long", "rope": "long", "river": "long",
    ]
    private static let colours = [
        "red", "green", "blue", "white", "black", "brown", "grey", "pink", "gold", "silver",
    ]
    private static let sizes = ["tiny", "small", "plain", "large", "huge"]

    /// All questions, in an order of chance that is always the same; every tenth is golden.
    private static let all: [String] = {
        var numbers = SeededNumbers(seed: 20_250_601)
        var lines: [String] = []
        for (thing, shape) in kinds.sorted(by: { $0.key < $1.key }) {
            for colour in colours {
                for size in sizes {
                    let row: JSONValue = [
                        "id": .string("\(size)-\(colour)-\(thing)"),
                        "messages": [
                            ["role": "user", "content": .string("a \(size) \(colour) \(thing)")],
                            ["role": "assistant", "content": .string(shape)],
                        ],
                    ]
                    lines.append(row.canonical + "\n")
                }
            }
        }
        lines.shuffle(using: &numbers)
        return lines
    }()

    static func shape(of thing: String) -> String? { kinds[thing] }

    /// What the rows ask, without the golden ones.
    static let questions: [String] = all.enumerated().filter { $0.offset % 10 != 0 }.compactMap {
        (try? JSONValue(parsing: $0.element.utf8))?["messages"]?[0]?["content"]?.string
    }

    static let rows = all.enumerated().filter { $0.offset % 10 != 0 }.map(\.element).joined()
    static let golden = all.enumerated().filter { $0.offset % 10 == 0 }.map(\.element).joined()
}

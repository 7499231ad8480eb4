import Foundation
import Testing

/// What a test waited for did not come.
struct Impatience: Error, CustomStringConvertible {
    let description: String
}

/// Asks `probe` until `isReached` accepts its answer, which is returned.
///
/// Throws a sentence with the last answer after `patience`.
@discardableResult
func poll<Answer>(
    for what: String, atMost patience: Duration = .seconds(60),
    every pause: Duration = .milliseconds(20),
    _ probe: () async throws -> Answer, until isReached: (Answer) -> Bool
) async throws -> Answer {
    let deadline = ContinuousClock.now + patience
    while true {
        let answer = try await probe()
        if isReached(answer) { return answer }
        guard .now < deadline else {
            throw Impatience(
                description: "waited \(patience) for \(what); the last that was seen: \(answer)")
        }
        try await Task.sleep(for: pause)
    }
}

extension Duration {
    var inSeconds: String { String(format: "%.2f s", self / .seconds(1)) }
}

/// Tells what a drill measured, whether or not it fails afterwards.
func measured(_ what: String, _ duration: Duration) {
    print("measured: \(what): \(duration.inSeconds)")
}

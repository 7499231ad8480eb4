/// Pauses that double, up to a limit, each cut short by chance so that many do not return at once.
struct Backoff {
    var pause: Duration = .milliseconds(50)
    var longest: Duration = .seconds(2)

    mutating func next(using numbers: inout some RandomNumberGenerator) -> Duration {
        let ceiling = pause
        pause = min(pause * 2, longest)
        return ceiling * Double.random(in: 0.5...1, using: &numbers)
    }
}

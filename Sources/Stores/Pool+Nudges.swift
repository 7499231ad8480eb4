import Postgres

extension Pool {
    /// Something to look at the tables for: whatever is sent on `channel`, and every time that it can
    /// be heard again, since what was sent until then is gone.
    ///
    /// Takes a connection of the pool for as long as somebody listens.
    func nudges(on channel: String) -> AsyncStream<Void> {
        let (nudges, continuation) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let listening = Task {
            while !Task.isCancelled {
                do {
                    try await listen(to: channel) { notifications in
                        continuation.yield()
                        for try await _ in notifications { continuation.yield() }
                    }
                } catch {
                    try? await Task.sleep(for: .seconds(1))
                }
            }
        }
        continuation.onTermination = { _ in listening.cancel() }
        return nudges
    }
}

import Dispatch

/// Threads for the few calls of libpq that block: name lookups and requests to cancel.
enum Blocking {
    private static let queue = DispatchQueue(
        label: "flywheel.postgres.blocking", attributes: .concurrent)

    static func run<Output: Sendable>(_ body: @escaping @Sendable () -> Output) async -> Output {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: body()) }
        }
    }
}

import Foundation
import Synchronization

/// Calls `body` once for each number below `count`, on up to so many threads, this one among them.
///
/// Threads take the next number when they are free, so `body` must not mind the order.
package func inParallel(
    _ count: Int, threads: Int, _ body: @escaping @Sendable (_ index: Int) -> Void
) {
    inParallel(count, threads: threads) { _, index in body(index) }
}

/// As above, and tells `body` which of the threads, from 0, it runs on.
package func inParallel(
    _ count: Int, threads: Int, _ body: @escaping @Sendable (_ thread: Int, _ index: Int) -> Void
) {
    let next = Atomic(0)
    @Sendable func work(_ thread: Int) {
        while true {
            let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard index < count else { return }
            body(thread, index)
        }
    }
    // Threads of our own: a dispatch queue lends fewer when the machine is busy with other work.
    let finished = DispatchGroup()
    for index in stride(from: 1, to: min(threads, count), by: 1) {
        finished.enter()
        let thread = Thread {
            work(index)
            finished.leave()
        }
        thread.stackSize = 8 << 20
        thread.start()
    }
    work(0)
    finished.wait()
}

import Collectives
import Synchronization
import Tensors

/// A step's gradient and its counters, summed over all lanes of all ranks as integers in one buffer.
///
/// Row gradients are rounded to fixed point one by one and only then added, so neither which lanes a
/// thread or rank computed nor the order in which they came shows in the sum.
@safe final class GradientSum: @unchecked Sendable {
    /// Counters that travel behind the gradient.
    enum Counter: Int, CaseIterable {
        case loss
        /// Elements of gradients, and losses, that were too large or not numbers.
        case beyond
        /// The raw value of rank 0's request; other ranks add nothing.
        case request
    }

    /// Elements of the gradient.
    let count: Int
    private let sums: UnsafeMutableBufferPointer<Int64>
    private let lock = Mutex(())

    init(count: Int) {
        self.count = count
        unsafe sums = .allocate(capacity: count + Counter.allCases.count)
        unsafe sums.initialize(repeating: 0)
    }

    deinit { unsafe sums.deallocate() }

    func clear() { unsafe sums.update(repeating: 0) }

    /// Adds one row of a step of `rows`; may be called from several threads.
    func add(_ gradient: UnsafeBufferPointer<Float>, loss: Double, rows: Int) {
        lock.withLock { _ in
            let beyond = unsafe FixedPoint.gradient.add(gradient, to: sums, terms: rows)
            self[.beyond] += Int64(beyond)
            if let units = FixedPoint.loss.fixed(loss, terms: rows) {
                self[.loss] += units
            } else {
                self[.beyond] += 1
            }
        }
    }

    /// Adds the other ranks' sums.
    func reduce(_ world: any Communicator) throws(CollectiveError) {
        try unsafe world.allreduceSum(sums)
    }

    /// Writes the summed gradient to `gradient`.
    func read(to gradient: UnsafeMutableBufferPointer<Float>) {
        unsafe FixedPoint.gradient.read(UnsafeBufferPointer(rebasing: sums[..<count]), to: gradient)
    }

    subscript(counter: Counter) -> Int64 {
        get { unsafe sums[count + counter.rawValue] }
        set { unsafe sums[count + counter.rawValue] = newValue }
    }
}

import Collectives
import Synchronization
import Tensors

/// A step's gradient and its counters, summed over all lanes of all ranks as integers in one buffer; of a
/// validation the counters alone.
///
/// Row gradients are rounded to fixed point one by one and only then added, so neither which lanes a
/// thread or rank computed nor the order in which they came shows in the sum.
@safe final class GradientSum: @unchecked Sendable {
    /// Counters that travel behind the gradient.
    enum Counter: Int, CaseIterable {
        case loss
        /// Elements of gradients, and rows with losses, that were too large or not numbers.
        case beyond
        /// The raw value of rank 0's request; other ranks add nothing.
        case request
        /// Of a `Tally`.
        case better, betters, worse, worses, correct
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
    func add(_ gradient: UnsafeBufferPointer<Float>, _ tally: Tally, rows: Int) {
        lock.withLock { _ in
            let beyond = unsafe FixedPoint.gradient.add(gradient, to: sums, terms: rows)
            self[.beyond] += Int64(beyond)
            let values = [
                (Counter.loss, tally.loss), (.better, tally.better), (.worse, tally.worse),
            ]
            let units = values.compactMap { counter, value in
                FixedPoint.loss.fixed(value, terms: rows).map { (counter, $0) }
            }
            guard units.count == values.count else {
                self[.beyond] += 1
                return
            }
            for (counter, units) in units { self[counter] += units }
            self[.betters] += Int64(tally.betters)
            self[.worses] += Int64(tally.worses)
            self[.correct] += Int64(tally.correct)
        }
    }

    /// What the rows of all ranks came to, after `reduce`.
    var tally: Tally {
        Tally(
            loss: FixedPoint.loss.value(self[.loss]), better: FixedPoint.loss.value(self[.better]),
            betters: Int(self[.betters]), worse: FixedPoint.loss.value(self[.worse]),
            worses: Int(self[.worses]), correct: Int(self[.correct]))
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

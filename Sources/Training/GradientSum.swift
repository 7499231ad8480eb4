import Collectives
import Models
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
    private let counters = Mutex(())
    private let pieces: [Piece]

    /// Elements that are added under one lock.
    private static let piece = 1 << 18
    private final class Piece: Sendable { let lock = Mutex(()) }

    init(count: Int) {
        self.count = count
        pieces = (0..<((count + Self.piece - 1) / Self.piece)).map { _ in Piece() }
        unsafe sums = .allocate(capacity: count + Counter.allCases.count)
        unsafe sums.initialize(repeating: 0)
    }

    deinit { unsafe sums.deallocate() }

    /// The summed gradient, in units of `FixedPoint.gradient`; whoever takes it leaves zeros.
    var gradient: UnsafeMutableBufferPointer<Int64> {
        unsafe UnsafeMutableBufferPointer(rebasing: sums[..<count])
    }

    func clearCounters() { for counter in Counter.allCases { self[counter] = 0 } }

    /// Adds what a row came to, one of `rows` in the step; may be called from several threads.
    func add(_ tally: Tally, rows: Int) {
        counters.withLock { _ in
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

    /// Takes the gradient of one of `rows` in the step.
    func sink(rows: Int) -> any GradientSink { RowSink(sum: self, rows: rows) }

    private final class RowSink: GradientSink {
        let sum: GradientSum
        let rows: Int

        init(sum: GradientSum, rows: Int) { (self.sum, self.rows) = (sum, rows) }

        func add(_ gradient: Tensor, at offset: Int) {
            unsafe sum.add(
                UnsafeBufferPointer(
                    start: gradient.values, count: gradient.rows * gradient.columns),
                at: offset, rows: rows)
        }
    }

    private func add(_ values: UnsafeBufferPointer<Float>, at offset: Int, rows: Int) {
        var (beyond, start) = (0, offset)
        let end = offset + values.count
        while start < end {
            let piece = start / Self.piece
            let next = min((piece + 1) * Self.piece, end)
            pieces[piece].lock.withLock { _ in
                unsafe beyond += FixedPoint.gradient.add(
                    UnsafeBufferPointer(rebasing: values[(start - offset)..<(next - offset)]),
                    to: UnsafeMutableBufferPointer(rebasing: sums[start..<next]), terms: rows)
            }
            start = next
        }
        if beyond > 0 { counters.withLock { _ in self[.beyond] += Int64(beyond) } }
    }

    /// Adds the other ranks' sums.
    func reduce(_ world: any Communicator) throws(CollectiveError) {
        try unsafe world.allreduceSum(sums)
    }

    subscript(counter: Counter) -> Int64 {
        get { unsafe sums[count + counter.rawValue] }
        set { unsafe sums[count + counter.rawValue] = newValue }
    }
}

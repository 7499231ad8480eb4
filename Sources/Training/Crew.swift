import Foundation
import Models
import Synchronization

/// The learners of one rank, one per thread: they compute rows side by side, on equal parameters.
@safe final class Crew: @unchecked Sendable {
    @safe private struct Member: @unchecked Sendable {
        let learner: any Learner
        let gradient: UnsafeMutableBufferPointer<Float>
    }

    private let members: [Member]

    /// The first learner's parameters are the ones that are trained; the others share or copy them.
    init(_ learners: [any Learner]) {
        precondition(!learners.isEmpty)
        members = learners.map { learner in
            let gradient = UnsafeMutableBufferPointer<Float>.allocate(
                capacity: learner.layout.count)
            unsafe gradient.initialize(repeating: 0)
            return unsafe Member(learner: learner, gradient: gradient)
        }
        refresh()
    }

    deinit { for member in members { unsafe member.gradient.deallocate() } }

    var layout: ParameterLayout { members[0].learner.layout }
    var parameters: UnsafeMutableBufferPointer<Float> { unsafe members[0].learner.parameters }
    /// Room for a gradient, free between calls of `each`.
    var gradient: UnsafeMutableBufferPointer<Float> { unsafe members[0].gradient }

    /// Gives all learners the first one's parameters, after they changed.
    func refresh() {
        members[0].learner.refresh()
        for member in members.dropFirst() {
            let copy = unsafe member.learner.parameters
            if unsafe copy.baseAddress != parameters.baseAddress {
                _ = unsafe copy.update(fromContentsOf: parameters)
                member.learner.refresh()
            }
        }
    }

    /// Calls `body` once for each number below `count`, with a learner and its room for a gradient.
    ///
    /// Threads take the next number when they are free, so `body` must not mind the order.
    func each(
        _ count: Int,
        _ body: @escaping @Sendable (Int, any Learner, UnsafeMutableBufferPointer<Float>) -> Void
    ) {
        let next = Atomic(0)
        @Sendable func work(_ thread: Int) {
            let member = members[thread]
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                unsafe body(index, member.learner, member.gradient)
            }
        }
        // Threads of our own: a dispatch queue lends fewer when the machine is busy with other work.
        let helpers = min(members.count, count) - 1
        let finished = DispatchGroup()
        for index in stride(from: 1, through: helpers, by: 1) {
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
}

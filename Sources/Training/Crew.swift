import Models
import Tensors

/// The learners of one rank, one per thread: they compute rows side by side, on equal parameters.
@safe final class Crew: @unchecked Sendable {
    private struct Member: @unchecked Sendable { let learner: any Learner }

    private let members: [Member]

    /// The first learner's parameters are the ones that are trained; the others share or copy them.
    init(_ learners: [any Learner]) {
        precondition(!learners.isEmpty)
        members = learners.map { Member(learner: $0) }
        refresh()
    }

    var layout: ParameterLayout { members[0].learner.layout }
    var parameters: UnsafeMutableBufferPointer<Float> { unsafe members[0].learner.parameters }
    /// Threads, one a learner.
    var count: Int { members.count }

    /// Gives all learners the first one's parameters, after they changed.
    func refresh() {
        members[0].learner.parametersChanged(threads: count)
        for member in members.dropFirst() {
            let copy = unsafe member.learner.parameters
            if unsafe copy.baseAddress != parameters.baseAddress {
                _ = unsafe copy.update(fromContentsOf: parameters)
                member.learner.parametersChanged(threads: count)
            }
        }
    }

    /// Calls `body` once for each number below `count`, with a learner.
    ///
    /// Threads take the next number when they are free, so `body` must not mind the order.
    func each(_ count: Int, _ body: @escaping @Sendable (Int, any Learner) -> Void) {
        inParallel(count, threads: members.count) { [members] thread, index in
            body(index, members[thread].learner)
        }
    }
}

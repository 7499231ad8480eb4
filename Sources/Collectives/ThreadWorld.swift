import Foundation
import Synchronization

/// Ranks as threads of one process: the collective calls of a gang without its processes.
///
/// For tests and for machines without MPI. A rank that throws ends the world: the others' next (or
/// current) collective call throws too, as a dead rank ends an MPI gang.
public final class ThreadWorld: Communicator {
    public let rank: Int
    public var ranks: Int { meeting.ranks }
    private let meeting: Meeting

    private init(rank: Int, meeting: Meeting) {
        self.rank = rank
        self.meeting = meeting
    }

    /// Runs `body` once per rank, each on a thread of its own, and returns their results by rank.
    ///
    /// Throws the first error that is a rank's own, rather than a neighbour's failed call.
    public static func run<Output: Sendable>(
        ranks: Int, _ body: @escaping @Sendable (ThreadWorld) throws -> Output
    ) throws -> [Output] {
        let meeting = Meeting(ranks: ranks)
        let results = Mutex<[Int: Result<Output, any Error>]>([:])
        let finished = DispatchGroup()
        for rank in 0..<ranks {
            finished.enter()
            let thread = Thread {
                let result = Result { try body(ThreadWorld(rank: rank, meeting: meeting)) }
                if case .failure = result { meeting.end() }
                results.withLock { $0[rank] = result }
                finished.leave()
            }
            thread.stackSize = 8 << 20
            thread.start()
        }
        finished.wait()
        let all = results.withLock { results in (0..<ranks).compactMap { results[$0] } }
        let errors = all.compactMap { if case .failure(let error) = $0 { error } else { nil } }
        if let error = errors.first(where: { !($0 is CollectiveError) }) ?? errors.first {
            throw error
        }
        return try all.map { try $0.get() }
    }

    public func allreduceSum(
        _ values: UnsafeMutableBufferPointer<Int64>
    ) throws(CollectiveError) {
        let mine = UnsafeRawBufferPointer(values)
        let all = try unsafe meet("allreduce", Array(mine))
        for index in values.indices { unsafe values[index] = 0 }
        for bytes in all {
            unsafe bytes.withUnsafeBytes { raw in
                let other = unsafe raw.assumingMemoryBound(to: Int64.self)
                for index in values.indices { unsafe values[index] &+= other[index] }
            }
        }
    }

    public func broadcast(_ bytes: [UInt8], from root: Int) throws(CollectiveError) -> [UInt8] {
        try meet("broadcast", rank == root ? bytes : [])[root]
    }

    public func gather(_ bytes: [UInt8]) throws(CollectiveError) -> [[UInt8]] {
        let all = try meet("gather", bytes)
        return rank == 0 ? all : []
    }

    public func barrier() throws(CollectiveError) { _ = try meet("barrier", []) }

    private func meet(_ call: String, _ bytes: [UInt8]) throws(CollectiveError) -> [[UInt8]] {
        guard let all = meeting.exchange(rank, bytes) else {
            throw CollectiveError(call, rank: rank, status: 1)
        }
        return all
    }
}

/// Where the ranks of a `ThreadWorld` exchange bytes, one round after the other.
@safe private final class Meeting: Sendable {
    private struct Round {
        var number = 0
        var brought: [Int: [UInt8]] = [:]
        var taken: [[UInt8]] = []
        var hasEnded = false
    }

    let ranks: Int
    // NSCondition guards `round`; it offers the waiting that a Mutex does not.
    private let condition = NSCondition()
    nonisolated(unsafe) private var round = Round()

    init(ranks: Int) { self.ranks = ranks }

    /// Everybody's bytes by rank once all have brought theirs; nil where the world has ended.
    func exchange(_ rank: Int, _ bytes: [UInt8]) -> [[UInt8]]? {
        condition.lock()
        defer { condition.unlock() }
        guard unsafe !round.hasEnded else { return nil }
        let number = unsafe round.number
        unsafe round.brought[rank] = bytes
        if unsafe round.brought.count == ranks {
            // Nobody can finish the next round before everybody has returned from this one, so one
            // set of results is enough.
            unsafe round.taken = (0..<ranks).map { unsafe round.brought[$0] ?? [] }
            unsafe round.brought = [:]
            unsafe round.number += 1
            condition.broadcast()
        }
        while unsafe round.number == number && !round.hasEnded { condition.wait() }
        return unsafe round.number == number ? nil : round.taken
    }

    func end() {
        condition.lock()
        defer { condition.unlock() }
        unsafe round.hasEnded = true
        condition.broadcast()
    }
}

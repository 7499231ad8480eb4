/// The world of one rank: who else is in it, and the few things they do together.
///
/// Every call is collective: all ranks make it, in the same order. Ranks are counted from 0.
public protocol Communicator: AnyObject {
    /// This process's index.
    var rank: Int { get }
    /// How many ranks the world has.
    var ranks: Int { get }

    /// Replaces `values`, on every rank, by their sum over all ranks. Integer addition is associative,
    /// so the bits do not depend on the number of ranks or the algorithm.
    func allreduceSum(_ values: UnsafeMutableBufferPointer<Int64>) throws(CollectiveError)

    /// Gives every rank the bytes that `root` has.
    func broadcast(_ bytes: [UInt8], from root: Int) throws(CollectiveError) -> [UInt8]

    /// Gives rank 0 everybody's bytes, in order of rank; others get an empty list.
    func gather(_ bytes: [UInt8]) throws(CollectiveError) -> [[UInt8]]

    /// Returns when every rank has arrived.
    func barrier() throws(CollectiveError)
}

/// A collective call did not succeed; the gang cannot go on.
public struct CollectiveError: Error, Equatable, Sendable, CustomStringConvertible {
    public let call: String
    public let rank: Int
    public let status: Int

    public init(_ call: String, rank: Int, status: Int) {
        self.call = call
        self.rank = rank
        self.status = status
    }

    public var description: String {
        "\(call) failed on rank \(rank) with status \(status). The gang ends; the job resumes from its last checkpoint."
    }
}

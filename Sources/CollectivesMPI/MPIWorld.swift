import CMPI
public import Collectives

/// The world that mpirun started: one process per rank, Open MPI between them.
///
/// One per process, and all its calls from the thread that made it. Errors are returned where Open MPI
/// gets to return them; a dead rank takes the gang along before that (measured: within a second).
public final class MPIWorld: Communicator {
    public let rank: Int
    public let ranks: Int

    /// Elements per call of MPI, whose counts are 32-bit.
    private static let countMax = 1 << 28

    /// Joins the gang; returns when every rank has.
    public init() throws(CollectiveError) {
        try Self.check(cmpi_init(), "init", rank: -1)
        var (rank, ranks): (CInt, CInt) = (0, 0)
        try Self.check(unsafe cmpi_rank(&rank), "rank", rank: -1)
        try Self.check(unsafe cmpi_size(&ranks), "size", rank: Int(rank))
        self.rank = Int(rank)
        self.ranks = Int(ranks)
    }

    /// Leaves the gang in order; no call may follow.
    public func finalize() throws(CollectiveError) {
        try check(cmpi_finalize(), "finalize")
    }

    /// Ends the whole gang at once, with `status` as mpirun's.
    public func abort(status: Int) -> Never {
        _ = cmpi_abort(CInt(status))
        fatalError("MPI_Abort returned")
    }

    /// Asks the kernel to kill this process when the one that started it dies.
    public static func dieWithParent() { _ = cmpi_die_with_parent() }

    public func allreduceSum(
        _ values: UnsafeMutableBufferPointer<Int64>
    ) throws(CollectiveError) {
        for (start, count) in Self.pieces(of: values.count) {
            let piece = unsafe values.baseAddress.map { unsafe $0 + start }
            try check(unsafe cmpi_allreduce_sum_i64(piece, count), "allreduce")
        }
    }

    public func broadcast(_ bytes: [UInt8], from root: Int) throws(CollectiveError) -> [UInt8] {
        var size = Int64(rank == root ? bytes.count : 0)
        let announced = unsafe withUnsafeMutableBytes(of: &size) { size in
            unsafe cmpi_broadcast_bytes(size.baseAddress, CInt(size.count), CInt(root))
        }
        try check(announced, "broadcast")
        var bytes = rank == root ? bytes : [UInt8](repeating: 0, count: Int(size))
        for (start, count) in Self.pieces(of: bytes.count) {
            let status = unsafe bytes.withUnsafeMutableBytes { bytes in
                unsafe cmpi_broadcast_bytes(
                    bytes.baseAddress.map { unsafe $0 + start }, count, CInt(root))
            }
            try check(status, "broadcast")
        }
        return bytes
    }

    /// As the protocol says; all bytes together must be fewer than 2^31.
    public func gather(_ bytes: [UInt8]) throws(CollectiveError) -> [[UInt8]] {
        var counts = [CInt](repeating: 0, count: ranks)
        guard var count = CInt(exactly: bytes.count) else {
            throw CollectiveError("gather", rank: rank, status: -1)
        }
        try check(unsafe cmpi_gather_int(&count, &counts), "gather")
        var offsets: [CInt] = []
        var total: CInt = 0
        for count in counts {
            offsets.append(total)
            let (sum, overflows) = total.addingReportingOverflow(count)
            guard !overflows else { throw CollectiveError("gather", rank: rank, status: -1) }
            total = sum
        }
        var all = [UInt8](repeating: 0, count: Int(total))
        let status = unsafe bytes.withUnsafeBytes { bytes in
            unsafe all.withUnsafeMutableBytes { all in
                unsafe cmpi_gather_bytes(
                    bytes.baseAddress, count, all.baseAddress, counts, offsets)
            }
        }
        try check(status, "gather")
        guard rank == 0 else { return [] }
        return zip(offsets, counts).map { Array(all[Int($0)..<Int($0 + $1)]) }
    }

    public func barrier() throws(CollectiveError) { try check(cmpi_barrier(), "barrier") }

    private static func pieces(of count: Int) -> [(start: Int, count: CInt)] {
        stride(from: 0, to: count, by: countMax).map { ($0, CInt(min(countMax, count - $0))) }
    }

    private func check(_ status: CInt, _ call: String) throws(CollectiveError) {
        try Self.check(status, call, rank: rank)
    }

    private static func check(
        _ status: CInt, _ call: String, rank: Int
    ) throws(CollectiveError) {
        guard status == cmpi_success() else {
            throw CollectiveError(call, rank: rank, status: Int(status))
        }
    }
}

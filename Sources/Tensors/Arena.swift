#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Where the tensors of a plan will lie, decided before any memory is taken.
public struct ArenaPlan {
    /// A tensor that has its place but not yet its memory.
    public struct Place: Sendable {
        let offset: Int
        let rows: Int
        let columns: Int
        let stride: Int
    }

    /// Elements in all.
    public private(set) var count = 0

    public init() {}

    /// Reserves a matrix whose rows start on 64-byte boundaries.
    public mutating func add(rows: Int, columns: Int) -> Place {
        let stride = columns.roundedUp(to: 16)
        defer { count += rows * stride }
        return Place(offset: count, rows: rows, columns: columns, stride: stride)
    }
}

/// The memory of a plan: taken once, zeroed, given back with the last reference.
///
/// Large arenas lie on 2 MiB boundaries and ask for huge pages.
@safe public final class Arena {
    /// All elements.
    public let values: UnsafeMutableBufferPointer<Float>

    /// Takes memory for `count` elements.
    public init(count: Int) {
        let huge = 1 << 21
        let bytes = max(count, 1) * MemoryLayout<Float>.stride
        let alignment = bytes >= huge ? huge : 64
        let size = bytes.roundedUp(to: alignment)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: alignment)
        #if os(Linux)
        if bytes >= huge { unsafe _ = madvise(memory, size, MADV_HUGEPAGE) }
        #endif
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        unsafe values = UnsafeMutableBufferPointer(
            start: memory.bindMemory(to: Float.self, capacity: count), count: count)
    }

    /// Takes memory for everything in `plan`.
    public convenience init(_ plan: ArenaPlan) { self.init(count: plan.count) }

    deinit { unsafe values.baseAddress?.deallocate() }

    /// The tensor at `place`, which comes from this arena's plan.
    public subscript(place: ArenaPlan.Place) -> Tensor {
        let end = place.offset + place.rows * place.stride
        guard let base = unsafe values.baseAddress, unsafe end <= values.count else {
            preconditionFailure("a place of another plan")
        }
        return unsafe Tensor(
            base + place.offset, rows: place.rows, columns: place.columns, stride: place.stride)
    }
}

extension Int {
    /// The least multiple of `unit` that is not smaller.
    package func roundedUp(to unit: Int) -> Int { (self + unit - 1) / unit * unit }
}

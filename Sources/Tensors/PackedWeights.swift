import CDNNL
import CKernels

/// bf16 copies of a model's matrices, in the order in which products read them.
///
/// They are made by `refresh`, after every change of the weights, and then read by any number of
/// threads. In fp32 there are none.
@safe public final class PackedWeights: @unchecked Sendable {
    /// One matrix, [out, in], as the right side of both products.
    @safe struct Copy: @unchecked Sendable {
        let weight: Tensor
        /// For x Wᵀ.
        let forward: Packed
        /// For dy W, where gradients are computed.
        let backward: Packed?
    }

    /// A packed matrix and the columns of its blocks.
    @safe struct Packed {
        let values: UnsafeMutablePointer<UInt16>
        let width: Int
    }

    public let precision: Precision
    private let copies: [UnsafeMutablePointer<Float>: Copy]
    private let arena: Arena

    /// Takes memory for copies of `matrices`, of which each counts once.
    public init(_ matrices: [Tensor], precision: Precision, isTraining: Bool) {
        self.precision = precision
        guard precision == .bf16 else {
            unsafe copies = [:]
            arena = Arena(count: 0)
            return
        }
        var (plan, places): (Int, [(weight: Tensor, forward: Int, backward: Int?)]) = (0, [])
        var widths: [SIMD2<Int>: Int] = [:]
        func width(_ columns: Int, _ depth: Int) -> Int {
            let shape = SIMD2(columns, depth)
            let width = widths[shape] ?? BF16Products.width(columns: columns, depth: depth)
            widths[shape] = width
            return width
        }
        func reserve(_ columns: Int, _ depth: Int) -> Int {
            defer {
                let size = bf16_packed_size(width(columns, depth), columns, depth)
                plan += size.roundedUp(to: 32)
            }
            return plan
        }
        for weight in matrices
        where !places.contains(where: { unsafe $0.weight.values == weight.values }) {
            let forward = reserve(weight.rows, weight.columns)
            let backward = isTraining ? reserve(weight.columns, weight.rows) : nil
            places.append((weight, forward, backward))
        }
        arena = Arena(count: (plan + 1) / 2)
        guard let memory = unsafe arena.values.baseAddress else { preconditionFailure() }
        let base = unsafe UnsafeMutableRawPointer(memory).assumingMemoryBound(to: UInt16.self)
        var copies: [UnsafeMutablePointer<Float>: Copy] = unsafe [:]
        for it in places {
            let (rows, columns) = (it.weight.rows, it.weight.columns)
            unsafe copies[it.weight.values] = unsafe Copy(
                weight: it.weight,
                forward: Packed(values: base + it.forward, width: width(rows, columns)),
                backward: it.backward.map {
                    unsafe Packed(values: base + $0, width: width(columns, rows))
                })
        }
        unsafe self.copies = copies
    }

    /// Rounds and packs all matrices anew, by so many threads.
    public func refresh(threads: Int = 1) {
        let all = unsafe copies.values.sorted {
            $0.weight.rows * $0.weight.columns > $1.weight.rows * $1.weight.columns
        }
        inParallel(all.count, threads: threads) { all[$0].refresh() }
    }

    /// The copies of `weight`, if there are any.
    subscript(weight: Tensor) -> Copy? {
        guard let copy = unsafe copies[weight.values], copy.weight.isSame(as: weight) else {
            return nil
        }
        return copy
    }
}

extension PackedWeights.Copy {
    fileprivate func refresh() {
        unsafe bf16_pack_NK(
            forward.values, forward.width, weight.values, weight.stride, weight.rows,
            weight.columns)
        if let backward {
            unsafe bf16_pack_KN(
                backward.values, backward.width, weight.values, weight.stride, weight.columns,
                weight.rows)
        }
    }
}

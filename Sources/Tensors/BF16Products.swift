import CDNNL
import CKernels
import Foundation

/// Products of bf16 operands with fp32 sums, by oneDNN, on the calling thread alone.
///
/// The library may choose other code for another number of rows, so rows are computed in blocks of
/// 64, the last filled up with zeros; or in smaller blocks where a trial on this machine gave a row
/// the same bits there. What a row gets therefore depends on that row alone.
///
/// One instance belongs to one thread at a time.
@safe final class BF16Products {
    private struct Shape: Hashable {
        let rows: Int
        let columns: Int
        let depth: Int
        let isOuter: Bool
    }

    private let context: OpaquePointer
    private var products: [Shape: OpaquePointer] = unsafe [:]
    private var steadyRows: [SIMD2<Int>: [Int]] = [:]
    @safe private var left = Scratch<UInt16>()
    @safe private var right = Scratch<UInt16>()
    @safe private var block = Scratch<Float>()

    init() {
        guard let context = unsafe cdnnl_context_new() else {
            preconditionFailure(Precision.bf16.missing ?? "no memory")
        }
        unsafe self.context = context
    }

    deinit {
        unsafe products.values.forEach { unsafe cdnnl_product_free($0) }
        unsafe cdnnl_context_free(context)
    }

    /// How wide blocks of a packed matrix of this shape are.
    static func width(columns: Int, depth: Int) -> Int {
        let products = BF16Products()
        return unsafe cdnnl_product_width(
            products.product(rows: rowBlock, columns: columns, depth: depth))
    }

    /// y = x b, or y += x b, where b has the columns of y.
    func multiply(_ y: Tensor, _ x: Tensor, _ b: UnsafePointer<UInt16>, adding: Bool) {
        let (columns, depth) = (y.columns, x.columns)
        left.makeRoom(rowBlock * depth)
        block.makeRoom(rowBlock * columns)
        for start in stride(from: 0, to: y.rows, by: rowBlock) {
            let count = min(rowBlock, y.rows - start)
            let padded = paddedRows(count, columns: columns, depth: depth)
            unsafe bf16_rows_TD(
                left.values, x.values + start * x.stride, x.stride, count, depth, padded)
            let product = unsafe product(rows: padded, columns: columns, depth: depth)
            let target = unsafe y.values + start * y.stride
            if count == padded, y.stride == columns, !adding {
                unsafe run(product, left.values, b, target)
            } else {
                unsafe run(product, left.values, b, block.values)
                unsafe put_rows_TD(target, y.stride, block.values, count, columns, adding ? 1 : 0)
            }
        }
    }

    /// y = x Wᵀ or y += x Wᵀ for a matrix without a packed copy; with `transposed`, x W.
    func multiply(
        _ y: Tensor, _ x: Tensor, unpacked weight: Tensor, transposed: Bool, adding: Bool
    ) {
        let (columns, depth) = (y.columns, x.columns)
        let product = unsafe product(rows: rowBlock, columns: columns, depth: depth)
        let width = unsafe cdnnl_product_width(product)
        right.makeRoom(bf16_packed_size(width, columns, depth))
        if transposed {
            unsafe bf16_pack_KN(
                right.values, width, weight.values, weight.stride, columns, depth)
        } else {
            unsafe bf16_pack_NK(
                right.values, width, weight.values, weight.stride, columns, depth)
        }
        unsafe multiply(y, x, right.values, adding: adding)
    }

    /// dw = dyᵀ x, or dw += dyᵀ x.
    func outer(_ dw: Tensor, _ dy: Tensor, _ x: Tensor, adding: Bool) {
        // Rows of zeros change no sum, and few numbers of rows mean few products to prepare.
        let (rows, columns) = (x.rows.roundedUp(to: rowBlock), dw.columns)
        right.makeRoom(rows * columns)
        unsafe bf16_rows_TD(right.values, x.values, x.stride, x.rows, columns, rows)
        for start in stride(from: 0, to: dw.rows, by: Self.outerRows) {
            let count = min(Self.outerRows, dw.rows - start)
            left.makeRoom(rows * count)
            unsafe bf16_rows_TD(
                left.values, dy.values + start, dy.stride, dy.rows, count, rows)
            let product = unsafe product(
                rows: count, columns: columns, depth: rows, isOuter: true)
            let target = unsafe dw.values + start * dw.stride
            if dw.stride == columns, !adding {
                unsafe run(product, left.values, right.values, target)
            } else {
                block.makeRoom(count * columns)
                unsafe run(product, left.values, right.values, block.values)
                unsafe put_rows_TD(target, dw.stride, block.values, count, columns, adding ? 1 : 0)
            }
        }
    }

    /// Rows of a weight's gradient that are computed at once: their operand stays in the cache.
    private static let outerRows = 1024

    private func product(
        rows: Int, columns: Int, depth: Int, isOuter: Bool = false
    ) -> OpaquePointer {
        let shape = Shape(rows: rows, columns: columns, depth: depth, isOuter: isOuter)
        if let known = unsafe products[shape] { return unsafe known }
        let made =
            unsafe isOuter
            ? cdnnl_outer_new(context, rows, columns, depth)
            : cdnnl_product_new(context, rows, columns, depth)
        guard let made = unsafe made else {
            preconditionFailure("oneDNN makes no product of \(rows) x \(columns) x \(depth)")
        }
        unsafe products[shape] = unsafe made
        return unsafe made
    }

    private func run(
        _ product: OpaquePointer, _ a: UnsafePointer<UInt16>, _ b: UnsafePointer<UInt16>,
        _ c: UnsafeMutablePointer<Float>
    ) {
        let status = unsafe cdnnl_product_run(product, a, b, c)
        precondition(status == 0, "oneDNN refused a product that it made: status \(status)")
    }

    // MARK: Few rows

    /// The least number of rows, from `count` to 64, whose bits are those of a block of 64.
    private func paddedRows(_ count: Int, columns: Int, depth: Int) -> Int {
        if count > rowBlock / 2 { return rowBlock }
        let shape = SIMD2(columns, depth)
        let steady = steadyRows[shape] ?? trial(columns: columns, depth: depth)
        steadyRows[shape] = steady
        return steady.first { $0 >= count } ?? rowBlock
    }

    /// Multiplies one row of chance 64 times over: at every place in a block of 64, and in smaller ones.
    private func trial(columns: Int, depth: Int) -> [Int] {
        let full = unsafe product(rows: rowBlock, columns: columns, depth: depth)
        let width = unsafe cdnnl_product_width(full)
        let size = bf16_packed_size(width, columns, depth)
        let matrix = Scratch<UInt16>(ofChance: size, key: 2)
        let row = Scratch<UInt16>(ofChance: depth, key: 1)
        let rows = Scratch<UInt16>(count: rowBlock * depth)
        for index in 0..<rowBlock {
            unsafe (rows.values + index * depth).update(from: row.values, count: depth)
        }
        let expected = Scratch<Float>(count: rowBlock * columns)
        unsafe run(full, rows.values, matrix.values, expected.values)
        let found = Scratch<Float>(count: rowBlock * columns)
        let bytes = columns * MemoryLayout<Float>.stride
        func agrees(_ count: Int, _ product: OpaquePointer) -> Bool {
            unsafe run(product, rows.values, matrix.values, found.values)
            return (0..<count).allSatisfy { index in
                unsafe memcmp(expected.values, found.values + index * columns, bytes) == 0
            }
        }
        guard unsafe agrees(rowBlock, full) else { return [] }
        return [1, 2, 4, 8, 16, 32].filter { count in
            unsafe agrees(count, product(rows: count, columns: columns, depth: depth))
        }
    }
}

/// Memory that grows to what was asked for last; what it held is lost when it does.
@safe private struct Scratch<Element: BitwiseCopyable>: ~Copyable {
    private(set) var values: UnsafeMutablePointer<Element>
    private var count: Int

    init(count: Int = 0) {
        self.count = count
        unsafe values = Self.allocate(count)
    }

    deinit { unsafe values.deallocate() }

    mutating func makeRoom(_ count: Int) {
        guard count > self.count else { return }
        unsafe values.deallocate()
        unsafe values = Self.allocate(count)
        self.count = count
    }

    private static func allocate(_ count: Int) -> UnsafeMutablePointer<Element> {
        let size = max(count, 1) * MemoryLayout<Element>.stride
        return unsafe UnsafeMutableRawPointer.allocate(
            byteCount: size.roundedUp(to: 64), alignment: 4096
        ).assumingMemoryBound(to: Element.self)
    }
}

extension Scratch where Element == UInt16 {
    /// bf16 numbers of both signs around 1, a function of `key`.
    init(ofChance count: Int, key: UInt64) {
        self.init(count: count)
        var state = key
        for index in 0..<count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            unsafe values[index] = UInt16(truncatingIfNeeded: state >> 40) & 0x80ff | 0x3f00
        }
    }
}

/// A matrix of fp32 in memory that somebody else owns: a view, passed by value.
///
/// It is valid as long as its arena. Rows lie `stride` elements apart.
@safe public struct Tensor {
    public let values: UnsafeMutablePointer<Float>
    public let rows: Int
    public let columns: Int
    /// The distance between the first elements of two rows, in elements.
    public let stride: Int

    public init(
        _ values: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int? = nil
    ) {
        unsafe self.values = values
        self.rows = rows
        self.columns = columns
        self.stride = stride ?? columns
    }

    /// The rows `range`, as a view.
    public func rows(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows)
        return unsafe Tensor(
            values + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
    }

    /// The first `count` rows, as a view.
    public func prefix(_ count: Int) -> Tensor { rows(0..<count) }

    /// The columns `range`, as a view.
    public func columns(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= columns)
        return unsafe Tensor(
            values + range.lowerBound, rows: rows, columns: range.count, stride: stride)
    }

    /// The elements of row `index`.
    public func row(_ index: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(index >= 0 && index < rows)
        return unsafe UnsafeMutableBufferPointer(start: values + index * stride, count: columns)
    }

    /// Whether both are views of the same elements.
    public func isSame(as other: Tensor) -> Bool {
        unsafe values == other.values && rows == other.rows && columns == other.columns
    }

    /// Sets every element to zero.
    public func clear() {
        for index in 0..<rows { unsafe row(index).update(repeating: 0) }
    }

    /// Copies the elements of `other`, which has the same shape.
    public func copy(_ other: Tensor) {
        precondition(rows == other.rows && columns == other.columns)
        if isSame(as: other) { return }
        for index in 0..<rows {
            unsafe (values + index * stride).update(
                from: other.values + index * other.stride, count: columns)
        }
    }
}

import Tensors
import TestSupport
import Testing

@Suite struct Attention {
    struct Shape: Sendable, CustomTestStringConvertible {
        var tokens: Int
        var heads: Int
        var shared: Int
        var dimension: Int
        var scale: Float?
        var cap: Float?
        var window: Int?
        var testDescription: String {
            "\(tokens) tokens, \(heads):\(shared) of \(dimension), cap \(cap ?? 0), window \(window ?? 0)"
        }
        var attention: AttentionShape {
            AttentionShape(
                heads: heads, keyValueHeads: shared, headDimension: dimension, scale: scale,
                cap: cap, window: window)
        }
    }

    /// Projected heads side by side, as a decoder has them.
    static func heads(_ all: Matrix, _ shape: Shape) -> ProjectedHeads {
        let (queries, keys) = (shape.heads * shape.dimension, shape.shared * shape.dimension)
        return ProjectedHeads(
            queries: all.tensor.columns(0..<queries),
            keys: all.tensor.columns(queries..<(queries + keys)),
            values: all.tensor.columns((queries + keys)..<(queries + 2 * keys)))
    }

    static func columns(_ shape: Shape) -> Int {
        (shape.heads + 2 * shape.shared) * shape.dimension
    }

    static func cache(_ shape: Shape) -> Matrix {
        Matrix(zeros: shape.shared, shape.attention.cacheColumns(tokens: shape.tokens))
    }

    @Test(arguments: [
        Shape(tokens: 1, heads: 1, shared: 1, dimension: 4),
        Shape(tokens: 6, heads: 4, shared: 2, dimension: 6),
        Shape(tokens: 64, heads: 2, shared: 1, dimension: 16),
        Shape(tokens: 131, heads: 3, shared: 1, dimension: 8),
        Shape(tokens: 66, heads: 2, shared: 2, dimension: 40),
        Shape(tokens: 70, heads: 2, shared: 1, dimension: 8, scale: 0.7, cap: 1.5),
        Shape(tokens: 9, heads: 2, shared: 1, dimension: 4, window: 1),
        Shape(tokens: 200, heads: 2, shared: 1, dimension: 6, window: 3),
        Shape(tokens: 200, heads: 2, shared: 2, dimension: 6, window: 64),
        Shape(tokens: 150, heads: 3, shared: 1, dimension: 6, cap: 2, window: 65),
        Shape(tokens: 130, heads: 1, shared: 1, dimension: 8, window: 500),
    ])
    func `outputs and gradients equal the textbook`(shape: Shape) {
        var numbers = SeededNumbers(seed: 1)
        let operations = CPUOperations()
        let input = Matrix(shape.tokens, Self.columns(shape), &numbers)
        let (output, logSumExp) = (
            Matrix(zeros: shape.tokens, shape.heads * shape.dimension),
            Matrix(zeros: shape.tokens, shape.heads)
        )
        let doutput = Matrix(shape.tokens, shape.heads * shape.dimension, &numbers)
        let cache = Self.cache(shape)
        let heads = Self.heads(input, shape)
        operations.store(
            cache.tensor, keys: heads.keys, values: heads.values, first: 0, shape: shape.attention)
        operations.attend(
            output.tensor, logSumExp: logSumExp.tensor, queries: heads.queries,
            cache: cache.tensor, first: 0, shape: shape.attention)
        let gradient = Matrix(shape.tokens, Self.columns(shape), &numbers)
        let scratch = Matrix(
            1, shape.attention.scratchCount(tokens: shape.tokens), &numbers)
        operations.attendGradient(
            Self.heads(gradient, shape), doutput.tensor, of: heads, output: output.tensor,
            logSumExp: logSumExp.tensor, scratch: scratch.tensor, shape: shape.attention)

        let tape = Tape()
        let leaves = tape.leaves(input.values)
        func head(_ row: [Int], _ index: Int) -> [Int] {
            Array(row[(index * shape.dimension)...].prefix(shape.dimension))
        }
        let expected = leaves.indices.map { t in
            (0..<shape.heads).flatMap { index in
                let shared = index * shape.shared / shape.heads
                let seen = leaves[max(0, t + 1 - (shape.window ?? t + 1))...t]
                return tape.attention(
                    query: head(leaves[t], index),
                    keys: seen.map { head($0, shape.heads + shared) },
                    values: seen.map { head($0, shape.heads + shape.shared + shared) },
                    scale: shape.scale.map { Double($0) }, cap: shape.cap.map { Double($0) })
            }
        }
        #expect(output.error(against: tape.numbers(expected)) < 3e-6)
        let wanted = tape.gradient(of: expected, along: doutput.values, at: [leaves])[0]
        #expect(gradient.error(against: wanted) < 1e-5)
    }

    @Test(arguments: [1, 3, 50, 64, 100], [nil, 1, 5, 64, 70])
    func `a cache filled in pieces gives the same bits`(piece: Int, window: Int?) {
        let shape = Shape(
            tokens: 150, heads: 4, shared: 2, dimension: 12, cap: window.map { Float($0) },
            window: window)
        var numbers = SeededNumbers(seed: 2)
        let operations = CPUOperations()
        let input = Matrix(shape.tokens, Self.columns(shape), &numbers)
        let heads = Self.heads(input, shape)
        func run(_ piece: Int) -> [[Double]] {
            let cache = Self.cache(shape)
            let output = Matrix(zeros: shape.tokens, shape.heads * shape.dimension)
            let logSumExp = Matrix(zeros: shape.tokens, shape.heads)
            for first in stride(from: 0, to: shape.tokens, by: piece) {
                let rows = first..<min(first + piece, shape.tokens)
                let own = heads.rows(rows)
                operations.store(
                    cache.tensor, keys: own.keys, values: own.values, first: first,
                    shape: shape.attention)
                operations.attend(
                    output.tensor.rows(rows), logSumExp: logSumExp.tensor.rows(rows),
                    queries: own.queries, cache: cache.tensor, first: first,
                    shape: shape.attention)
            }
            return output.values + logSumExp.values
        }
        #expect(run(piece) == run(shape.tokens))
    }
}

import Foundation

extension Tape {
    public func exponential(_ a: Node) -> Node {
        apply(a, exp(values[a]), slope: exp(values[a]))
    }

    public func logarithm(_ a: Node) -> Node { apply(a, log(values[a]), slope: 1 / values[a]) }

    /// The product of a and its logistic function.
    public func silu(_ a: Node) -> Node {
        let s = 1 / (1 + exp(-values[a]))
        return apply(a, values[a] * s, slope: s * (1 + values[a] * (1 - s)))
    }

    /// The natural-log probability of `target` under the softmax of `logits`.
    public func logProbability(_ logits: [Node], _ target: Int) -> Node {
        let largest = logits.map { values[$0] }.max() ?? 0
        let total = logits.map { exponential(sum($0, constant(-largest))) }
            .reduce(constant(0), sum)
        let score = sum(logits[target], constant(-largest))
        return sum(score, scaled(logarithm(total), -1))
    }

    /// One head turned to `position`, pairs being an element of each half.
    public func rotated(_ x: [Node], position: Int, theta: Double) -> [Node] {
        let half = x.count / 2
        let turned = (0..<half).map { index in
            let angle = Double(position) * pow(theta, -2 * Double(index) / Double(x.count))
            let (a, b) = (x[index], x[index + half])
            return (
                sum(scaled(a, cos(angle)), scaled(b, -sin(angle))),
                sum(scaled(b, cos(angle)), scaled(a, sin(angle)))
            )
        }
        return turned.map(\.0) + turned.map(\.1)
    }

    /// One head's attention of the last of `keys` to all of them.
    public func attention(query: [Node], keys: [[Node]], values rows: [[Node]]) -> [Node] {
        let scale = 1 / Double(query.count).squareRoot()
        let scores = keys.map { scaled(dot(query, $0), scale) }
        let largest = scores.map { values[$0] }.max() ?? 0
        let weights = scores.map { exponential(sum($0, constant(-largest))) }
        let total = weights.reduce(constant(0), sum)
        let inverse = apply(total, 1 / values[total], slope: -1 / (values[total] * values[total]))
        return query.indices.map { column in
            product(dot(weights, rows.map { $0[column] }), inverse)
        }
    }
}

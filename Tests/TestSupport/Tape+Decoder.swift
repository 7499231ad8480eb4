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

    /// GELU in its tanh form.
    public func gelu(_ a: Node) -> Node {
        let (x, root) = (values[a], (2 / Double.pi).squareRoot())
        let t = tanh(root * (x + 0.044715 * x * x * x))
        let slope = root * (1 + 3 * 0.044715 * x * x) * (1 - t * t)
        return apply(a, x / 2 * (1 + t), slope: (1 + t) / 2 + x / 2 * slope)
    }

    /// cap · tanh(a / cap); a itself without a cap.
    public func capped(_ a: Node, _ cap: Double?) -> Node {
        guard let cap else { return a }
        let t = tanh(values[a] / cap)
        return apply(a, cap * t, slope: 1 - t * t)
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
        rotated(
            x, position: position,
            frequencies: (0..<(x.count / 2)).map { pow(theta, -2 * Double($0) / Double(x.count)) })
    }

    /// As `rotated(_:position:theta:)`, each pair at its own speed, cosines and sines times `scale`.
    public func rotated(
        _ x: [Node], position: Int, frequencies: [Double], scale: Double = 1
    ) -> [Node] {
        let half = x.count / 2
        let turned = (0..<half).map { index in
            let angle = Double(position) * frequencies[index]
            let (cosine, sine) = (cos(angle) * scale, sin(angle) * scale)
            let (a, b) = (x[index], x[index + half])
            return (
                sum(scaled(a, cosine), scaled(b, -sine)), sum(scaled(b, cosine), scaled(a, sine))
            )
        }
        return turned.map(\.0) + turned.map(\.1)
    }

    /// One head's attention of the last of `keys` to all of them.
    public func attention(
        query: [Node], keys: [[Node]], values rows: [[Node]], scale: Double? = nil,
        cap: Double? = nil
    ) -> [Node] {
        let scale = scale ?? 1 / Double(query.count).squareRoot()
        let scores = keys.map { capped(scaled(dot(query, $0), scale), cap) }
        let largest = scores.map { values[$0] }.max() ?? 0
        let weights = scores.map { exponential(sum($0, constant(-largest))) }
        let total = weights.reduce(constant(0), sum)
        let inverse = apply(total, 1 / values[total], slope: -1 / (values[total] * values[total]))
        return query.indices.map { column in
            product(dot(weights, rows.map { $0[column] }), inverse)
        }
    }
}

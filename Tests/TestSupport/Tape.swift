/// A tape of fp64 scalars: the oracle of every gradient, as plain as can be.
///
/// A node knows its value, its parents and the partial derivative by each. Values are node numbers.
public final class Tape {
    public typealias Node = Int

    public private(set) var values: [Double] = []
    private var parents: [(Node, Node)] = []
    private var partials: [(Double, Double)] = []

    public init() {}

    /// A value that depends on nothing.
    public func constant(_ value: Double) -> Node { node(value, (0, 0), (0, 0)) }

    public func sum(_ a: Node, _ b: Node) -> Node { node(values[a] + values[b], (a, b), (1, 1)) }

    public func product(_ a: Node, _ b: Node) -> Node {
        node(values[a] * values[b], (a, b), (values[b], values[a]))
    }

    public func scaled(_ a: Node, _ factor: Double) -> Node {
        node(values[a] * factor, (a, a), (factor, 0))
    }

    /// f(a), whose derivative there is `slope`.
    public func apply(_ a: Node, _ value: Double, slope: Double) -> Node {
        node(value, (a, a), (slope, 0))
    }

    /// The derivatives of `output` by every node.
    public func gradient(of output: Node) -> [Double] {
        var gradient = [Double](repeating: 0, count: values.count)
        gradient[output] = 1
        for index in stride(from: output, through: 0, by: -1) where gradient[index] != 0 {
            gradient[parents[index].0] += gradient[index] * partials[index].0
            gradient[parents[index].1] += gradient[index] * partials[index].1
        }
        return gradient
    }

    private func node(_ value: Double, _ from: (Node, Node), _ by: (Double, Double)) -> Node {
        values.append(value)
        parents.append(from)
        partials.append(by)
        return values.count - 1
    }
}

extension Tape {
    public func dot(_ a: [Node], _ b: [Node]) -> Node {
        zip(a, b).map { product($0, $1) }.reduce(constant(0), sum)
    }

    /// y = W x for rows of W.
    public func linear(_ weight: [[Node]], _ x: [Node]) -> [Node] { weight.map { dot($0, x) } }

    public func inverseRoot(_ a: Node) -> Node {
        let value = 1 / values[a].squareRoot()
        return apply(a, value, slope: -0.5 * value / values[a])
    }

    /// The row x / rms(x) · gain.
    public func rmsNorm(_ x: [Node], gain: [Node], epsilon: Double) -> [Node] {
        let mean = scaled(dot(x, x), 1 / Double(x.count))
        let inverse = inverseRoot(sum(mean, constant(epsilon)))
        return zip(x, gain).map { product(product($0, inverse), $1) }
    }
}

public import Models

/// A model as the trainer sees it: parameters in a row, and the gradient of a row's loss.
///
/// One instance belongs to one thread at a time.
public protocol Learner: AnyObject {
    var layout: ParameterLayout { get }
    /// `layout.count` elements; those between tensors are 0 and stay so.
    var parameters: UnsafeMutableBufferPointer<Float> { get }

    /// Makes what is derived from the parameters anew, by so many threads, after they were written to.
    func parametersChanged(threads: Int)

    /// The sum over positions of weight × negative log-probability of the target, in nats.
    func lossSum(of row: PackedRow) -> Double

    /// As `lossSum`, and gives `scale` × its gradient over all parameters to `gradient`.
    func lossSum(of row: PackedRow, scale: Float, gradient: any GradientSink) -> Double

    /// The natural-log probability of the target at each position whose weight is not 0, ascending.
    func scores(of row: PackedRow) -> [Double]

    /// Gives `gradient` the gradient, over all parameters, of any loss of `scores(of:)`, which are
    /// returned; `slopes` says, for each, less the derivative of that loss by it.
    @discardableResult
    func differentiate(
        _ row: PackedRow, gradient: any GradientSink, slopes: (_ scores: [Double]) -> [Float]
    ) -> [Double]
}

extension Learner {
    /// Nothing is derived from them.
    public func parametersChanged(threads: Int) {}
}

extension Transformer: Learner {}

extension AdaptedTransformer: Learner {}

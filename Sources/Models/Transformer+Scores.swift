import Tensors

extension Transformer {
    /// The natural-log probability of the target at each position that counts (those whose weight is not
    /// 0), positions ascending.
    public func scores(of row: PackedRow) -> [Double] {
        withFlushedSubnormals {
            let selected = row.weighted
            return scores(of: row, selected, forward(row, selected: selected))
        }
    }

    /// Gives `gradient` the gradient of any function of `scores(of:)`, and returns those.
    ///
    /// `slopes` is given the scores and returns, for each, less the derivative of the loss by it: where
    /// that is known beforehand, `lossSum(of:scale:gradient:)` saves a pass over the head.
    @discardableResult
    public func differentiate(
        _ row: PackedRow, gradient: any GradientSink, slopes: (_ scores: [Double]) -> [Float]
    ) -> [Double] {
        handing(gradient) { differentiate(row, $0, slopes: slopes) }
    }

    /// As above; the gradient goes where `weights` say.
    func differentiate(
        _ row: PackedRow, _ weights: TransformerTensors, slopes: (_ scores: [Double]) -> [Float]
    ) -> [Double] {
        let selected = row.weighted
        if selected.isEmpty { return [] }
        let output = forward(row, selected: selected)
        let scores = scores(of: row, selected, output)
        let u = slopes(scores)
        precondition(u.count == selected.count)
        let targets = selected.map { row.targets[Int($0)] }
        differentiate(row, selected, output, weights) { rows, logits in
            _ = operations.logProbabilities(
                logits, targets: Array(targets[rows]), u: Array(u[rows]))
        }
        return scores
    }

    private func scores(of row: PackedRow, _ selected: [Int32], _ output: Tensor) -> [Double] {
        var scores: [Double] = []
        stack.head(output) { rows, _, logits in
            scores += operations.logProbabilities(
                logits, targets: selected[rows].map { row.targets[Int($0)] }, u: nil)
        }
        return scores
    }
}

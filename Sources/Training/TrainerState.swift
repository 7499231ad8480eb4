import Models

/// Everything about a training that changes with its steps, apart from the weights.
@safe final class TrainerState {
    /// Updates done.
    var step = 0
    /// Of the last step.
    var loss = 0.0
    /// First and second moments of AdamW, laid out as the weights.
    let first: UnsafeMutableBufferPointer<Float>
    let second: UnsafeMutableBufferPointer<Float>
    var best: BestValidation?
    var validationsSinceBest = 0
    /// The weights at `best`, where they are to come out.
    let bestWeights: UnsafeMutableBufferPointer<Float>?

    init(_ layout: ParameterLayout, keepsBest: Bool) {
        func zeros() -> UnsafeMutableBufferPointer<Float> {
            let room = UnsafeMutableBufferPointer<Float>.allocate(capacity: layout.count)
            unsafe room.initialize(repeating: 0)
            return unsafe room
        }
        unsafe first = zeros()
        unsafe second = zeros()
        unsafe bestWeights = keepsBest ? zeros() : nil
    }

    deinit {
        unsafe first.deallocate()
        unsafe second.deallocate()
        unsafe bestWeights?.deallocate()
    }

    /// Takes in a validation of the current step's `weights`.
    func note(validation loss: Double, weights: UnsafeBufferPointer<Float>) {
        guard best.map({ loss < $0.loss }) ?? true else {
            validationsSinceBest += 1
            return
        }
        best = BestValidation(step: step, loss: loss)
        validationsSinceBest = 0
        _ = unsafe bestWeights?.update(fromContentsOf: weights)
    }
}

import FlywheelCore
import Models

/// What a checkpoint says of itself: no time, no rank and no fence, so that equal states are equal files.
struct CheckpointMetadata: Equatable {
    var identity: RunIdentity
    var layout: Digest
    var stepsTotal: Int
    var step: Int
    var loss: Double
    var best: BestValidation?
    var validationsSinceBest: Int

    private static let format = "flywheel checkpoint 1"

    init(
        identity: RunIdentity, layout: Digest, stepsTotal: Int, step: Int, loss: Double,
        best: BestValidation?, validationsSinceBest: Int
    ) {
        self.identity = identity
        self.layout = layout
        self.stepsTotal = stepsTotal
        self.step = step
        self.loss = loss
        self.best = best
        self.validationsSinceBest = validationsSinceBest
    }

    /// As a safetensors header holds it.
    ///
    /// Doubles are written as their bits, which decimals may round.
    var members: [String: String] {
        var members = [
            "format": Self.format,
            "specification": identity.specification.hex,
            "data": identity.data.hex,
            "numeric_profile": identity.numericProfile,
            "layout": layout.hex,
            "steps_total": String(stepsTotal),
            "step": String(step),
            "loss_bits": String(loss.bitPattern, radix: 16),
            "validations_since_best": String(validationsSinceBest),
        ]
        if let best {
            members["best_step"] = String(best.step)
            members["best_loss_bits"] = String(best.loss.bitPattern, radix: 16)
        }
        return members
    }

    init(_ members: [String: String], path: String) throws(TrainingError) {
        func bits(_ key: String) -> Double? {
            members[key].flatMap { UInt64($0, radix: 16) }.map(Double.init(bitPattern:))
        }
        guard members["format"] == Self.format else {
            throw .checkpoint(path: path, problem: "this is not a checkpoint of this version")
        }
        guard let specification = members["specification"].flatMap({ Digest(hex: $0) }),
            let data = members["data"].flatMap({ Digest(hex: $0) }),
            let numericProfile = members["numeric_profile"],
            let layout = members["layout"].flatMap({ Digest(hex: $0) }),
            let stepsTotal = members["steps_total"].flatMap({ Int($0) }),
            let step = members["step"].flatMap({ Int($0) }), step > 0, step <= stepsTotal,
            let loss = bits("loss_bits"),
            let stale = members["validations_since_best"].flatMap({ Int($0) })
        else { throw .checkpoint(path: path, problem: "its metadata are incomplete") }
        self.init(
            identity: RunIdentity(
                specification: specification, data: data, numericProfile: numericProfile),
            layout: layout, stepsTotal: stepsTotal, step: step, loss: loss, best: nil,
            validationsSinceBest: stale)
        if let step = members["best_step"].flatMap({ Int($0) }), let loss = bits("best_loss_bits") {
            best = BestValidation(step: step, loss: loss)
        }
    }

    /// Refuses a checkpoint from which another training than ours would go on.
    func check(
        against identity: RunIdentity, layout: ParameterLayout, stepsTotal: Int, path: String
    ) throws(TrainingError) {
        let problem: String? =
            if self.identity.specification != identity.specification {
                "it belongs to another specification (\(self.identity.specification))"
            } else if self.identity.data != identity.data {
                "it was trained on other data or from another base (\(self.identity.data))"
            } else if self.identity.numericProfile != identity.numericProfile {
                """
                it was computed under the numeric profile `\(self.identity.numericProfile)`, this rank \
                runs under `\(identity.numericProfile)`, and bits would change
                """
            } else if self.layout != layout.digest || self.stepsTotal != stepsTotal {
                "its tensors or its number of steps are not those of this training"
            } else {
                nil
            }
        if let problem { throw .checkpoint(path: path, problem: problem) }
    }
}

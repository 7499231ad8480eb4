import ArgumentParser
import FlywheelCore
import Tensors

/// In which precision a model computes.
struct PrecisionOptions: ParsableArguments {
    @Option(
        help: """
            What operands of matrix products are rounded to: fp32, bf16, or auto, the fastest of this \
            machine.
            """)
    var precision = "fp32"

    func validate() throws {
        guard Precision.names.contains(precision) else {
            let near = nearest(to: precision, among: Precision.names)
            throw ValidationError(
                "--precision \(precision): write \(Precision.names.joined(separator: ", "))."
                    + (near.map { " Did you mean \($0)?" } ?? ""))
        }
    }

    /// Throws where this machine does not have it.
    var resolved: Precision { get throws { try Precision(named: precision) } }
}

import CDNNL
public import FlywheelCore

/// What the operands of matrix products are rounded to; sums, and all else, are fp32.
public enum Precision: String, Sendable, CaseIterable {
    case fp32
    /// By oneDNN, where the processor multiplies bf16.
    case bf16

    /// The faster one that this machine has.
    public static var fastest: Precision { bf16.missing == nil ? .bf16 : .fp32 }

    /// Why this machine cannot compute in this precision; nil where it can.
    public var missing: String? {
        switch self {
        case .fp32: nil
        case .bf16: unsafe cdnnl_missing().map { unsafe String(cString: $0) }
        }
    }

    /// What decides the bits of a computation in this precision on this machine.
    public var profile: NumericProfile {
        switch self {
        case .fp32: .fp32
        case .bf16: .bf16
        }
    }

    /// The names that may be asked for.
    public static let names = allCases.map(\.rawValue) + ["auto"]

    /// The precision called `name`, where `auto` is the fastest; throws where this machine does not
    /// have it.
    public init(named name: String) throws(InputError) {
        if name == "auto" {
            self = .fastest
            return
        }
        guard let precision = Self(rawValue: name) else {
            throw InputError(
                field: "precision", "`\(name)` is none of \(Self.names.joined(separator: ", "))",
                remedy: nearest(to: name, among: Self.names).map { "Did you mean `\($0)`?" } ?? "")
        }
        if let missing = precision.missing {
            throw InputError(
                field: "precision", "this machine cannot compute in \(name): \(missing)",
                remedy: "Nothing was computed. Write fp32 or auto, or use another machine.")
        }
        self = precision
    }
}

extension NumericProfile {
    /// All profiles that this machine can compute under, separated by `; `.
    public static var offered: String {
        Precision.allCases.filter { $0.missing == nil }.map(\.profile.name).joined(separator: "; ")
    }
}

import CBLAS

/// What decides the bits of a computation: precision, libraries, their kernels, ours.
///
/// Weights that came from one profile continue only under the same; ranks of a gang share one.
public struct NumericProfile: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Words such as `fp32 openblas-0.3.21 SkylakeX kernels-1`.
    public let name: String

    public init(name: String) { self.name = name }

    public init(from decoder: any Decoder) throws {
        name = try decoder.singleValueContainer().decode(String.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }

    public var description: String { name }

    /// The profile of the fp32 path on this machine's processor.
    public static let fp32: NumericProfile = {
        // One thread: with more, OpenBLAS cuts products at places that depend on their number.
        openblas_set_num_threads(1)
        let configuration = unsafe String(cString: openblas_get_config())
        let core = unsafe String(cString: openblas_get_corename())
        let version = configuration.split(separator: " ").dropFirst().first ?? "unknown"
        return NumericProfile(name: "fp32 openblas-\(version) \(core) kernels-\(kernelsVersion)")
    }()

    /// Raised whenever a kernel of ours changes the bits of a result.
    static let kernelsVersion = 1
}

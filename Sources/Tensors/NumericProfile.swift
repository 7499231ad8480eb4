import CDNNL
import Foundation

/// What decides the bits of a computation: precision, libraries, their kernels, ours.
///
/// Weights that came from one profile continue only under the same; ranks of a gang share one.
public struct NumericProfile: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Words such as `fp32 x86-64 kernels-1`, or with libraries and their versions.
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

    /// The profile of the fp32 path: products included, it has no library in it and is the same on
    /// all processors of an architecture, whatever vectors they have.
    public static let fp32 = NumericProfile(name: "fp32 \(architecture) kernels-\(kernelsVersion)")

    /// The profile of products by oneDNN: its version, the instructions it chose, and the processor,
    /// since the library cuts sums to the sizes of caches.
    public static let bf16: NumericProfile = {
        let version = unsafe String(cString: cdnnl_version())
        let instructions = unsafe String(cString: cdnnl_instructions())
        return NumericProfile(
            name: """
                bf16 \(architecture) kernels-\(kernelsVersion) onednn-\(version)-\(instructions) \
                \(processor)
                """)
    }()

    /// Vendor, family and model, such as `AuthenticAMD-25-17`.
    private static let processor: String = {
        // Files of /proc have no size to read by.
        let text = FileManager.default.contents(atPath: "/proc/cpuinfo") ?? Data()
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        return ["vendor_id", "cpu family", "model"].map { name in
            let line = lines.first {
                $0.split(separator: ":")[0].trimmingCharacters(in: .whitespaces) == name
            }
            return line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces) ?? "?"
        }.joined(separator: "-")
    }()

    #if arch(x86_64)
    private static let architecture = "x86-64"
    #elseif arch(arm64)
    // Flushes results that are subnormal before rounding, where x86-64 looks after it.
    private static let architecture = "arm64"
    #else
    #error("the floating-point mode of this architecture is not set up in mode.c")
    #endif

    /// Raised whenever a kernel of ours changes the bits of a result.
    static let kernelsVersion = 1
}

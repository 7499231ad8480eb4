import Foundation

/// A text as copies are compared: lower case, canonically composed, each run of blanks one blank.
public struct NormalText: Hashable, Sendable {
    /// UTF-8.
    let bytes: [UInt8]

    public init(_ text: String) {
        if text.utf8.allSatisfy({ $0 < 0x80 }) {
            bytes = Self.joined(text.utf8)
        } else {
            var scalars = String.UnicodeScalarView()
            for scalar in text.precomposedStringWithCanonicalMapping.lowercased().unicodeScalars {
                scalars.append(scalar.properties.isWhitespace ? " " : scalar)
            }
            bytes = Self.joined(String(scalars).utf8)
        }
    }

    public var isEmpty: Bool { bytes.isEmpty }

    /// The bytes with ASCII letters lowered and runs of blanks joined, none at either end.
    private static func joined(_ text: some Sequence<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.underestimatedCount)
        var isApart = false
        for byte in text {
            switch byte {
            case 0x20, 0x09...0x0D: isApart = !bytes.isEmpty
            default:
                if isApart {
                    bytes.append(0x20)
                    isApart = false
                }
                bytes.append(0x41...0x5A ~= byte ? byte | 0x20 : byte)
            }
        }
        return bytes
    }
}

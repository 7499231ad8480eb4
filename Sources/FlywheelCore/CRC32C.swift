/// The CRC-32C of bytes (Castagnoli's polynomial, RFC 3720 appendix B.4): finds every burst of at
/// most 32 wrong bits, and others but for one in four thousand million.
public struct CRC32C: Sendable {
    private var state: UInt32 = .max

    public init() {}

    public mutating func update(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            let index = Int(UInt8(truncatingIfNeeded: state) ^ byte)
            state = Self.table[index] ^ state >> 8
        }
    }

    public var value: UInt32 { ~state }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { rest, _ in
            rest & 1 == 1 ? rest >> 1 ^ 0x82F6_3B78 : rest >> 1
        }
    }
}

/// The letters by which byte-level tokenizers write bytes: printable ones stand for themselves, the
/// others for the characters from U+0100 on, in order (GPT-2's `bytes_to_unicode`).
enum ByteAlphabet {
    /// The letter of each byte.
    static let letters: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (0...255).map { byte in
            if 0x21...0x7E ~= byte || 0xA1...0xAC ~= byte || 0xAE...0xFF ~= byte {
                return Unicode.Scalar(UInt8(byte))
            }
            defer { next += 1 }
            return Unicode.Scalar(next) ?? "?"
        }
    }()

    /// The byte of each letter, by code point; -1 for what is no letter.
    private static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        for (byte, letter) in letters.enumerated() { bytes[Int(letter.value)] = Int16(byte) }
        return bytes
    }()

    /// The bytes that `written` stands for; nil where it has characters that are no letters.
    static func bytes(of written: some StringProtocol) -> [UInt8]? {
        let table = bytes
        var result: [UInt8] = []
        result.reserveCapacity(written.utf8.count)
        for scalar in written.unicodeScalars {
            guard scalar.value < table.count, table[Int(scalar.value)] >= 0 else { return nil }
            result.append(UInt8(table[Int(scalar.value)]))
        }
        return result
    }

    /// How `bytes` are written.
    static func text(of bytes: ArraySlice<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for byte in bytes { text.append(letters[Int(byte)]) }
        return String(text)
    }
}

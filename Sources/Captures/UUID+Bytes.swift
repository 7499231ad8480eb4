import Foundation

extension UUID {
    /// The id that 16 `bytes` are.
    init(bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        precondition(bytes.count == 16, "\(bytes.count) bytes are no UUID")
        self.init(
            uuid: (
                bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
                bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]
            ))
    }

    var bytes: [UInt8] { [UInt8](hexadecimal: uuidString.replacing("-", with: "")) }
}

extension [UInt8] {
    /// The bytes that `digits` write, two a byte; what is no digit counts as 0.
    init(hexadecimal digits: String) {
        let digits = [UInt8](digits.utf8)
        self = stride(from: 0, to: digits.count - 1, by: 2).map { place in
            UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16) ?? 0
        }
    }
}

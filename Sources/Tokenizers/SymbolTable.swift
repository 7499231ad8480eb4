/// The symbols that a word is made of before any merge, and their ids.
struct SymbolTable: Sendable {
    /// Whether symbols are bytes; else they are characters.
    let isBytes: Bool
    /// The id of each byte, of a model of bytes; -1 for a byte without a token.
    private(set) var byteIDs = [Int32](repeating: -1, count: 256)
    /// The ids of the characters of the basic plane by code, and of the others; -1 for none.
    private var basicPlane: [Int32] = []
    private var others: [UInt32: Int32] = [:]
    /// The ids of the bytes of characters without a token; empty where there is no such fallback.
    var fallbackIDs: [Int32] = []
    /// What stands for symbols without a token, which are left out where there is none.
    var unknown: Int32?
    /// Whether several of those in a row are one.
    var fusesUnknown = false

    init(isBytes: Bool) {
        self.isBytes = isBytes
        if !isBytes { basicPlane = Array(repeating: -1, count: 0x10000) }
    }

    /// Notes the token `id` of the text `piece`, where that is a single symbol.
    mutating func insert(_ piece: [UInt8], _ id: Int32) {
        if isBytes {
            if piece.count == 1 { byteIDs[Int(piece[0])] = id }
            return
        }
        guard piece.count <= 4 else { return }
        let scalars = String(decoding: piece, as: UTF8.self).unicodeScalars
        guard let scalar = scalars.first, scalars.count == 1 else { return }
        if scalar.value < 0x10000 {
            basicPlane[Int(scalar.value)] = id
        } else {
            others[scalar.value] = id
        }
    }

    func id(ofCharacter code: UInt32) -> Int32 {
        code < 0x10000 ? basicPlane[Int(code)] : others[code] ?? -1
    }
}

/// Random numbers as a function of a key and a counter (Philox 4×32-10; Salmon et al., SC11).
///
/// There is no state to save or to fall out of step: the same key and counter give the same number on
/// every rank, after every restart.
struct Philox: Sendable {
    let key: (UInt32, UInt32)

    init(seed: UInt64) {
        key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    }

    /// Four words for `counter`.
    func block(_ counter: SIMD4<UInt32>) -> SIMD4<UInt32> {
        var c = counter
        var (k0, k1) = key
        for _ in 0..<10 {
            let a = UInt64(0xD251_1F53) * UInt64(c[0])
            let b = UInt64(0xCD9E_8D57) * UInt64(c[2])
            c = SIMD4(
                UInt32(b >> 32) ^ c[1] ^ k0, UInt32(truncatingIfNeeded: b),
                UInt32(a >> 32) ^ c[3] ^ k1, UInt32(truncatingIfNeeded: a))
            k0 &+= 0x9E37_79B9
            k1 &+= 0xBB67_AE85
        }
        return c
    }

    /// A number below `bound`, for place `index` of `stream`.
    ///
    /// Its bias is at most `bound` / 2^64.
    func number(below bound: Int, stream: UInt32, index: Int) -> Int {
        let words = block(
            SIMD4(
                UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32), stream,
                0))
        let random = UInt64(words[0]) << 32 | UInt64(words[1])
        return Int(random.multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// The numbers below `count` in the random order of `stream` (Fisher–Yates).
    func permutation(of count: Int, stream: UInt32) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) {
            order.swapAt(last, number(below: last + 1, stream: stream, index: last))
        }
        return order
    }
}

import Tensors

/// The numbers below `count` in a random order (Fisher–Yates): a function of seed, stream and count.
///
/// Each draw is bounded by multiplying, with a bias of at most `count` / 2^64.
func permutation(of count: Int, seed: UInt64, stream: UInt32) -> [Int] {
    var order = Array(0..<count)
    for last in stride(from: count - 1, to: 0, by: -1) {
        let place = UInt64(last)
        let words = Philox.bits(
            SIMD4(UInt32(truncatingIfNeeded: place), UInt32(place >> 32), stream, 0), key: seed)
        let random = UInt64(words[0]) << 32 | UInt64(words[1])
        order.swapAt(last, Int(random.multipliedFullWidth(by: place + 1).high))
    }
    return order
}

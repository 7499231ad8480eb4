import CKernels

/// Random numbers that are a function of a key and a counter (Philox 4x32-10).
///
/// There is no state to save or to share: who asks for the same counter gets the same number,
/// whatever was asked before.
public enum Philox {
    /// The 128 random bits at `counter`.
    public static func bits(_ counter: SIMD4<UInt32>, key: UInt64) -> SIMD4<UInt32> {
        var words: [UInt32] = [0, 0, 0, 0]
        unsafe philox_4x32(
            &words, [counter.x, counter.y, counter.z, counter.w],
            [UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key >> 32)])
        return SIMD4(words)
    }

    /// A number between 0 and 1, both excluded, at `counter`.
    public static func uniform(_ counter: SIMD4<UInt32>, key: UInt64) -> Double {
        (Double(bits(counter, key: key).x) + 0.5) * 0x1p-32
    }

    /// Fills `values` with normal deviates, a function of key, stream and index.
    public static func fillNormal(
        _ values: UnsafeMutableBufferPointer<Float>, deviation: Double, key: UInt64,
        stream: UInt32
    ) {
        unsafe philox_normal_N(values.baseAddress, deviation, key, stream, values.count)
    }
}

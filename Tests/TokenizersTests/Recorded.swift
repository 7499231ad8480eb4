/// What was recorded once.
///
/// The file was read by release 0.23.3 of the `tokenizers` library, which gave these encodings; a
/// change of either must be checked against the library again.
enum Recorded {
    static let fileDigest = "61c8ffa6799b43edbf5e0ebdcfb642b89e3bf811f157edc445a62e05a31edf66"
    /// Of "a   b\t\tc".
    static let phi2: [Int32] = [64, 50285, 65, 50294, 66]
    static let encodings: [(String, [Int32])] = [
        (
            "The packages' manager DON'T: 12345 \u{BD}\u{B2}",
            [
                84, 259, 279, 39, 291, 32, 68, 79, 78, 39, 84, 58, 32, 49, 50, 51, 52, 53, 32, 194,
                189, 194, 178,
            ]
        ),
        (
            "<|im_start|>user\u{A}the \u{6587}\u{5B57}\u{5217} \u{1F389}\u{D}\u{A}\u{D}\u{A}  x<|im_end|>\u{A}",
            [
                307, 117, 115, 101, 114, 10, 262, 32, 282, 301, 151, 32, 305, 13, 10, 13, 10, 32,
                32, 120, 308, 10,
            ]
        ),
        (
            "  \u{A}\u{A}  \u{C9}t\u{E9} e\u{301}\u{A0}\u{3000} 'S'\u{17F}\u{9}{}",
            [
                32, 32, 283, 32, 32, 195, 137, 116, 303, 32, 101, 204, 129, 194, 160, 227, 128, 128,
                32, 39, 83, 39, 197, 191, 9, 123, 125,
            ]
        ),
    ]
}

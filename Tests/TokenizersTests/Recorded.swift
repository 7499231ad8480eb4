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

extension Recorded {
    /// Of `Hello é 中 world, 12\0 a`: blanks and others have no token.
    static let byteBPE: [Int32] = [
        72, 101, 108, 108, 111, 119, 111, 114, 108, 100, 44, 49, 50, 97,
    ]
    /// Of `<|user|>\nHi<|end|>\n<|assistant|>\n`.
    static let phi3Chat: [Int32] = [32010, 6324, 32007, 32001]
    /// Made with release 0.14.0 of tiktoken, with the expression of that release.
    static let cl100k: [(String, [Int32])] = [
        (
            "Hello world, it's 1234567 o'clock: na\u{EF}ve \u{65E5}\u{672C}\u{8A9E} \u{1F389}\u{1F389}\n\n  def f(x):\r\n\treturn x  \n  ",
            [
                9906, 1917, 11, 433, 596, 220, 4513, 10961, 22, 297, 63510, 25, 95980, 588, 76502,
                22656, 45918, 252, 11410, 236, 231, 9468, 236, 231, 271, 220, 711, 282, 2120, 5903,
                862, 865, 2355, 256,
            ]
        ),
        (
            "You'RE '\u{17F} <|endoftext|>done<|endofprompt|> \u{BD}\u{B2}\u{3000}\u{A0}",
            [
                2675, 95253, 364, 129, 123, 220, 100257, 10655, 100276, 220, 27154, 30556, 23249,
                4194,
            ]
        ),
    ]
}

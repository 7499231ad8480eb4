import Foundation

/// Keys of a terminal, one by one, as they are pressed.
struct Keyboard: ~Copyable {
    private let descriptor: CInt
    private let before: termios

    private init(_ descriptor: CInt, before: termios) {
        self.descriptor = descriptor
        self.before = before
    }

    /// Takes the terminal over; nil where standard input or output is none.
    static func take() -> Keyboard? {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { return nil }
        var settings = termios()
        guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        let before = settings
        // Neither lines nor echo, nor signals: Ctrl-C is a key that ends the review in order.
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
        settings.c_iflag &= ~tcflag_t(ICRNL | IXON)
        guard unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings) == 0 else { return nil }
        return Keyboard(STDIN_FILENO, before: before)
    }

    deinit {
        var settings = before
        _ = unsafe tcsetattr(descriptor, TCSADRAIN, &settings)
    }

    /// Waits for the next key; the end of the input is the wish to quit.
    func next() -> ReviewSession.Key {
        while true {
            guard let byte = readByte() else { return .quit }
            switch byte {
            case 0x03, 0x04: return .quit
            case 0x0A: return .newline
            case 0x0D: return .enter
            case 0x08, 0x7F: return .erase
            case 0x1B:
                guard hasMore else { return .escape }
                skipSequence()
            case 0x09, 0x20...0x7E: return .text(String(UnicodeScalar(byte)))
            case 0xC2...0xF4:
                let length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
                var bytes = [byte]
                while bytes.count < length, let next = readByte() { bytes.append(next) }
                return .text(String(decoding: bytes, as: UTF8.self))
            default: continue
            }
        }
    }

    private func readByte() -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = unsafe read(descriptor, &byte, 1)
            if count == 1 { return byte }
            guard count < 0, errno == EINTR else { return nil }
        }
    }

    /// Whether a byte follows at once, as it does within the sequence that an arrow key sends.
    private var hasMore: Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&waiting, 1, 20) == 1
    }

    /// `ESC [` or `ESC O`, parameters, and a letter.
    private func skipSequence() {
        guard let first = readByte(), first == UInt8(ascii: "[") || first == UInt8(ascii: "O")
        else { return }
        while let byte = readByte(), !(0x40...0x7E).contains(byte) {}
    }
}

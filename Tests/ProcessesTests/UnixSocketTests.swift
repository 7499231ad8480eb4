import Foundation
import Processes
import TestSupport
import Testing

@Suite struct `A Unix socket` {
    /// Connects, says hello, and prints what it is told.
    private let peer = """
        use IO::Socket::UNIX;
        my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $ARGV[0]) or die;
        $socket->autoflush(1);
        print $socket "hello";
        print scalar <$socket>;
        """

    @Test func `takes a connection, and carries bytes both ways`() async throws {
        try await temporaryFolder { folder in
            let path = folder + "/socket"
            try "left behind".write(toFile: path, atomically: true, encoding: .utf8)
            let listener = try UnixListener(path: path)
            #expect(listener.accept(withinMilliseconds: 0) == nil)
            let child = try await ChildProcess.start(
                .init(
                    ["/usr/bin/perl", "-e", peer, path], environment: [:],
                    output: folder + "/out"))
            let connection = try #require(listener.accept(withinMilliseconds: 10_000))
            var buffer = [UInt8](repeating: 0, count: 64)
            #expect(connection.isReadable(withinMilliseconds: 10_000))
            #expect(connection.read(into: &buffer) == 5)
            #expect(buffer.prefix(5) == ArraySlice("hello".utf8))
            #expect(connection.send(Array("well\n".utf8)))
            #expect(await child.exit() == .exited(0))
            #expect(try String(contentsOfFile: folder + "/out", encoding: .utf8) == "well\n")
            #expect(connection.read(into: &buffer) == 0)
            #expect(!connection.send(Array("anybody?".utf8)))
            connection.close()
            listener.close()
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test func `needs a short path in a folder that exists`() throws {
        let long = "/tmp/" + String(repeating: "x", count: UnixListener.pathBytesMax)
        for (path, number) in [(long, ENAMETOOLONG), ("/no/such/folder/socket", ENOENT)] {
            let error = #expect(throws: SystemError.self) { try UnixListener(path: path) }
            #expect(error?.number == number)
        }
    }
}

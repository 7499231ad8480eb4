import HTTPInterface
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@Suite struct `Callers that leave` {
    private let departures = Departures()
    private let channel = EmbeddedChannel()
    private let told = Told()

    private final class Told: Sendable {
        let count = Atomic(0)
    }

    init() throws {
        try channel.pipeline.syncOperations.addHandler(Departures.Handler(departures))
        try channel.connect(to: .init(unixDomainSocketPath: "/somewhere")).wait()
    }

    private func watch() {
        departures.watch(channel) { [told] in told.count.add(1, ordering: .relaxed) }
    }

    private var times: Int { told.count.load(ordering: .relaxed) }

    @Test func `a call is told once that its caller left`() throws {
        watch()
        #expect(times == 0)
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(times == 1)
        try channel.close().wait()
        #expect(times == 1)
    }

    @Test func `a caller that left before anybody watched is missed all the same`() throws {
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        watch()
        #expect(times == 1)
        try channel.close().wait()
        watch()
        #expect(times == 2)
    }

    @Test func `a call that is over is told nothing`() throws {
        watch()
        departures.forget(channel)
        try channel.close().wait()
        #expect(times == 0)
    }
}

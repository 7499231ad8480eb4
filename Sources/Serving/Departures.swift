import Hummingbird
import NIOCore
import Synchronization

/// A request's context, with the connection that it came on.
struct CallContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: Source) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

/// Tells calls that their caller is gone.
///
/// A server only learns of it by listening to the connection; each call says what is to be done then.
final class Departures: Sendable {
    private let actions = Mutex<[ObjectIdentifier: @Sendable () -> Void]>([:])

    /// Does `action` when whoever is at the other end of `channel` hangs up.
    func watch(_ channel: any Channel, _ action: @escaping @Sendable () -> Void) {
        actions.withLock { $0[ObjectIdentifier(channel)] = action }
        if !channel.isActive { departed(channel) }
    }

    func forget(_ channel: any Channel) {
        _ = actions.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    fileprivate func departed(_ channel: any Channel) {
        let action = actions.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
        action?()
    }

    /// Sits in the pipeline of every connection.
    final class Handler: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = NIOAny
        private let departures: Departures

        init(_ departures: Departures) { self.departures = departures }

        func channelInactive(context: ChannelHandlerContext) {
            departures.departed(context.channel)
            context.fireChannelInactive()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed? = event as? ChannelEvent {
                departures.departed(context.channel)
            }
            context.fireUserInboundEventTriggered(event)
        }
    }
}

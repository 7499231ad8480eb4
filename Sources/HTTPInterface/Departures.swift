package import NIOCore
import Synchronization

/// Tells calls that their caller is gone.
///
/// A server only learns of it by listening to the connection; each call says what is to be done then.
package final class Departures: Sendable {
    private struct State {
        var actions: [ObjectIdentifier: @Sendable () -> Void] = [:]
        /// Connections that are open here and closed at their other end.
        var halfClosed: Set<ObjectIdentifier> = []
    }

    private let state = Mutex(State())

    package init() {}

    /// Does `action` when whoever is at the other end of `channel` hangs up.
    package func watch(_ channel: any Channel, _ action: @escaping @Sendable () -> Void) {
        let isHalfClosed = state.withLock { state in
            state.actions[ObjectIdentifier(channel)] = action
            return state.halfClosed.contains(ObjectIdentifier(channel))
        }
        if isHalfClosed || !channel.isActive { act(channel) }
    }

    package func forget(_ channel: any Channel) {
        _ = state.withLock { $0.actions.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    private func act(_ channel: any Channel) {
        let action = state.withLock { $0.actions.removeValue(forKey: ObjectIdentifier(channel)) }
        action?()
    }

    fileprivate func departed(_ channel: any Channel, isOpenHere: Bool) {
        state.withLock { state in
            if isOpenHere {
                state.halfClosed.insert(ObjectIdentifier(channel))
            } else {
                state.halfClosed.remove(ObjectIdentifier(channel))
            }
        }
        act(channel)
    }

    /// Runs `body` and cancels it when the caller of `channel` hangs up.
    package func cancelling<Output: Sendable>(
        _ channel: any Channel, _ body: @escaping @Sendable () async throws -> Output
    ) async throws -> Output {
        let work = Task { try await body() }
        watch(channel) { work.cancel() }
        defer { forget(channel) }
        return try await withTaskCancellationHandler {
            try await work.value
        } onCancel: {
            work.cancel()
        }
    }

    /// Sits in the pipeline of every connection.
    package final class Handler: ChannelInboundHandler, RemovableChannelHandler {
        package typealias InboundIn = NIOAny
        private let departures: Departures

        package init(_ departures: Departures) { self.departures = departures }

        package func channelInactive(context: ChannelHandlerContext) {
            departures.departed(context.channel, isOpenHere: false)
            context.fireChannelInactive()
        }

        package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed? = event as? ChannelEvent {
                departures.departed(context.channel, isOpenHere: true)
            }
            context.fireUserInboundEventTriggered(event)
        }
    }
}

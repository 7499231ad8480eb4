import HTTPInterface
import Hummingbird
import NIOCore

/// A request's context: when it came, and the connection that it came on.
struct CallContext: ConnectedContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    let began = ContinuousClock.now

    init(source: Source) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

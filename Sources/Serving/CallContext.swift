import HTTPInterface
import Hummingbird
import NIOCore

/// A request's context, with the connection that it came on.
struct CallContext: ConnectedContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: Source) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

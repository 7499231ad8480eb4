package import FlywheelCore
import Foundation
package import NIOCore

extension ServiceUnavailable {
    /// That nobody can listen on an address, and why, as the system says by `error`.
    ///
    /// - Parameter remedy: how this server is given another address.
    package init(host: String, port: Int, _ error: IOError, remedy: String) {
        let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        let problem =
            switch error.errnoCode {
            case EADDRINUSE: "is taken: another program listens there"
            case EADDRNOTAVAIL: "is no address of this machine"
            case EACCES: "is not this user's to listen on"
            case let number: "cannot be listened on: \(unsafe String(cString: strerror(number)))"
            }
        self.init("\(address) \(problem).", remedy: remedy)
    }
}

import CProcess

/// TCP ports of this machine's loopback.
package enum LoopbackPort {
    /// One on which nobody listens now; somebody else may be quicker.
    package static func free() throws(SystemError) -> Int {
        let port = cprocess_free_port()
        guard port > 0 else { throw SystemError(call: "find a free port", number: -port) }
        return Int(port)
    }
}

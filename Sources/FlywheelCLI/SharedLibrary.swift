import Foundation

/// A shared library of this machine, asked by name whether it is there and what it says of itself.
@safe struct SharedLibrary {
    private let handle: UnsafeMutableRawPointer

    /// Nil where no library of that name can be loaded.
    init?(_ name: String) {
        guard let handle = unsafe dlopen(name, RTLD_LAZY | RTLD_LOCAL) else { return nil }
        unsafe self.handle = unsafe handle
    }

    /// The number that the function `name`, which takes nothing, returns.
    func number(from name: String) -> CInt? {
        guard let symbol = unsafe dlsym(handle, name) else { return nil }
        typealias Function = @convention(c) () -> CInt
        return unsafe unsafeBitCast(symbol, to: Function.self)()
    }
}

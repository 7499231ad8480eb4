/// A service that the work needs cannot be reached or is not installed: what is missing, and how to
/// get it.
///
/// Commands that meet one exit with status 69; nothing was done.
public struct ServiceUnavailable: Error, Equatable, Sendable, CustomStringConvertible {
    /// As a whole sentence.
    public var problem: String
    /// What to do, as whole sentences.
    public var remedy: String

    public init(_ problem: String, remedy: String) {
        self.problem = problem
        self.remedy = remedy
    }

    public var description: String { "\(problem) \(remedy)" }
}

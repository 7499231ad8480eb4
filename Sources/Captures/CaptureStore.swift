public import Foundation

/// Where captures and feedback end up, and where gateways learn what they must know.
public protocol CaptureStore: Sendable {
    /// Adds `calls` in one transaction; those whose id is there already are left as they are.
    ///
    /// Throws `CallRefused` where the store will never take them.
    func add(_ calls: [CapturedCall]) async throws
    /// Adds all of `feedback` that is new, in one transaction; throws as `add(_:)` of calls does.
    func add(_ feedback: [Feedback]) async throws -> FeedbackTaken
    /// What those of `ids` said that are there, as digests.
    func digests(ofFeedback ids: [UUID]) async throws -> [UUID: String]
    /// The tasks of the calls that `feedback` speaks of, by its id, as far as the store has them.
    func tasks(spokenOfBy feedback: [Feedback]) async throws -> [UUID: String]
    /// Joins feedback that waits for its call with the calls that are there; how much found one.
    func settleFeedback() async throws -> Int
    /// What counts now; nil where that is what `digest` names.
    func state(unlike digest: String?) async throws -> GatewayState?
    /// Which models of ours answer where; nil where that is what `digest` names.
    func serving(unlike digest: String?) async throws -> ServingState?
    /// Asks for servers of these models, `name@version`, and for those there are to go on.
    func askForServers(of models: [String]) async throws
    /// Something for every time that `state` or `serving` may have changed.
    func news() -> AsyncStream<Void>
    /// Makes room for the days from `day` on, for so many days.
    func prepare(from day: Date, days: Int) async throws
    /// Drops what is kept no longer; the names of what is gone.
    func dropOld() async throws -> [String]
}

/// The store says that a call, or what was said of one, can never be kept: what is wrong with it.
public struct CallRefused: Error, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}

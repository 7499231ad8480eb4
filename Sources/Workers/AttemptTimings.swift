/// How patient a worker is with its ranks.
///
/// Silence and obedience are stretched to ten steps where steps are slow.
package struct AttemptTimings: Sendable {
    /// Until the first event: processes start, libraries load.
    package var launch: Duration = .seconds(60)
    /// Without an event of any kind, once there was one.
    package var silence: Duration = .seconds(20)
    /// To note what the ranks of a gang that stopped are doing, before they are ended.
    package var inspection: Duration = .seconds(5)
    /// To obey a request.
    package var obedience: Duration = .seconds(30)
    /// To end after saying that all is done, left or failed.
    package var farewell: Duration = .seconds(15)
    /// From SIGTERM, which mpirun passes on, to SIGKILL.
    package var termination: Duration = .seconds(8)

    package init() {}
}

/// A world of one rank: every collective call is done before it begins.
public final class SoloWorld: Communicator {
    public let rank = 0
    public let ranks = 1

    public init() {}

    public func allreduceSum(_ values: UnsafeMutableBufferPointer<Int64>) {}
    public func broadcast(_ bytes: [UInt8], from root: Int) -> [UInt8] { bytes }
    public func gather(_ bytes: [UInt8]) -> [[UInt8]] { [bytes] }
    public func barrier() {}
}

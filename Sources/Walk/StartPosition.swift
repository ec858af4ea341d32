/// Where a stream is read from when nothing is remembered of it.
package enum StartPosition: String, Sendable, CaseIterable {
    /// At the oldest record that the stream keeps.
    case trimHorizon = "TRIM_HORIZON"
    /// After the newest record of that moment; shards found later are read from their beginning.
    case latest = "LATEST"

    /// How far our clock may be from the service's, in seconds, when a moment is remembered: DynamoDB takes
    /// signatures that are 5 minutes off, so a clock that works at all is nearer than that.
    package static let clockTolerance = 300.0
}

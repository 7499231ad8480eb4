import ArtifactTransfer
import FlywheelCore
import Testing

@Suite struct Addresses {
    @Test func `a store is a coordinator or a bucket, with or without a prefix`() throws {
        #expect(
            try ArtifactAddress(parsing: "http://10.0.0.1:8790/")
                == .coordinator("http://10.0.0.1:8790"))
        #expect(
            try ArtifactAddress(parsing: "https://flywheel.example")
                == .coordinator("https://flywheel.example"))
        #expect(try ArtifactAddress(parsing: "s3://team") == .bucket("team", prefix: ""))
        #expect(try ArtifactAddress(parsing: "s3://team/a/b/") == .bucket("team", prefix: "a/b/"))
    }

    @Test(arguments: [
        "ftp://host", "http://", "s3:///prefix", "http://host/path", "http://host?a=b",
    ])
    func `anything else is refused with a sentence`(_ text: String) {
        let error = #expect(throws: InputError.self) { try ArtifactAddress(parsing: text) }
        #expect(error?.field == "FLYWHEEL_ARTIFACTS")
    }
}

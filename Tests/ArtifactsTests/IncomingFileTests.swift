import Artifacts
import FlywheelCore
import Foundation
import Testing

@Suite struct `A file on its way into a store` {
    let scratch: Scratch
    let store: ArtifactStore
    let bytes = Array("the whole of it".utf8)
    var digest: Digest { Digest(of: bytes) }

    init() throws {
        scratch = try Scratch()
        store = try ArtifactStore(at: scratch.folder + "/artifacts")
    }

    @Test func `goes on behind what came before, and has its name when it is whole`() throws {
        do {
            var file = try had(IncomingFile(of: digest, in: store))
            try file.append(Array(bytes[..<4]))
        }
        #expect(store.incomingBytes(of: digest) == 4)
        #expect(!store.contains(digest))
        var file = try had(IncomingFile(of: digest, in: store))
        #expect(file.bytes == 4)
        try file.append(Array(bytes[4...]))
        try file.finish()
        try store.verify(digest)
        #expect(store.incomingBytes(of: digest) == 0)
    }

    @Test func `gets no name with other bytes, and begins anew`() throws {
        var file = try had(IncomingFile(of: digest, in: store))
        try file.append(Array("something else".utf8))
        #expect(throws: ArtifactError.self) { try file.finish() }
        #expect(!store.contains(digest) && file.bytes == 0)
        try file.append(bytes)
        try file.finish()
        try store.verify(digest)
    }

    @Test func `is written by one at a time`() throws {
        var first = try had(IncomingFile(of: digest, in: store))
        if try IncomingFile(of: digest, in: store) != nil { Issue.record("a second one has it") }
        try first.append(bytes)
        try first.finish()
    }
}

@Suite struct `A cache of artifacts` {
    let scratch: Scratch
    let store: ArtifactStore

    init() throws {
        scratch = try Scratch()
        store = try ArtifactStore(at: scratch.folder + "/artifacts")
    }

    /// An artifact of 100 bytes that was needed `seconds` ago.
    private func artifact(_ name: String, neededBefore seconds: Double) throws -> Digest {
        let digest = try store.add(
            Array((name + String(repeating: ".", count: 100)).utf8.prefix(100))
        )
        .digest
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -seconds)],
            ofItemAtPath: store.path(of: digest))
        return digest
    }

    @Test func `gives up what was needed longest ago, and nothing that is in use`() throws {
        let used = try artifact("used", neededBefore: 900)
        let spared = try artifact("spared", neededBefore: 800)
        let old = try artifact("old", neededBefore: 700)
        let older = try artifact("older", neededBefore: 750)
        let new = try artifact("new", neededBefore: 1)
        try store.materialize(["rows.jsonl": used], at: scratch.folder + "/job")
        #expect(try store.evict(downTo: 500) == 0)
        #expect(try store.evict(downTo: 400, sparing: [spared]) == 100)
        #expect(!store.contains(older) && store.contains(old))
        #expect(try store.evict(downTo: 300, sparing: [spared]) == 100)
        #expect([used, spared, new].allSatisfy(store.contains))
    }

    @Test func `gives up a model's folder when single files do not suffice`() throws {
        let weights = try artifact("weights", neededBefore: 900)
        let folder = try store.folder(of: ["model.safetensors": weights])
        #expect(try store.evict(downTo: 0) == 100)
        #expect(!store.contains(weights) && !FileManager.default.fileExists(atPath: folder))
    }

    @Test func `what is looked for is as good as new, and not swept`() async throws {
        let orphan = try artifact("orphan", neededBefore: 9_000)
        let wanted = try artifact("wanted", neededBefore: 9_000)
        #expect(Set(store.untouched(for: .seconds(3_600))) == [orphan, wanted])
        #expect(store.touch(wanted) && !store.touch(Digest(of: "nobody")))
        #expect(store.untouched(for: .seconds(3_600)) == [orphan])
        let asked = try await store.remove([orphan, wanted], untouchedFor: .seconds(3_600)) {
            digest in
            // Out of the way while somebody is asked, so that whoever adds it now adds it anew.
            #expect(!store.contains(digest))
            return true
        }
        #expect(asked == 1)
        #expect(store.contains(wanted) && !store.contains(orphan))
    }

    @Test func `a sweep that dies, or hears no, puts back what it had in hand`() async throws {
        struct Died: Error {}
        let orphan = try artifact("orphan", neededBefore: 9_000)
        _ = try? await store.remove([orphan], untouchedFor: .zero) { _ in throw Died() }
        #expect(store.contains(orphan))
        let count = try await store.remove([orphan], untouchedFor: .zero) { _ in false }
        #expect(count == 0 && store.contains(orphan))
        // Killed between the two.
        let aside = "\(store.folder)/incoming/\(orphan).leaving"
        try FileManager.default.moveItem(atPath: store.path(of: orphan), toPath: aside)
        store.restore()
        try store.verify(orphan)
    }
}

/// A file that nobody else is at; a macro takes nothing that cannot be copied.
private func had(_ file: consuming IncomingFile?) throws -> IncomingFile {
    struct NotHad: Error {}
    guard let file else { throw NotHad() }
    return file
}

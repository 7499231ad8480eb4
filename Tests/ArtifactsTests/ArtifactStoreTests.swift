import Artifacts
import FlywheelCore
import Foundation
import Testing

@Suite struct ArtifactStores {
    let scratch: Scratch
    let store: ArtifactStore

    init() throws {
        scratch = try Scratch()
        store = try ArtifactStore(at: scratch.folder + "/artifacts")
    }

    private func contents(_ path: String) throws -> String {
        try String(contentsOfFile: path, encoding: .utf8)
    }

    private var incoming: [String] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: store.folder + "/incoming")
        }
    }

    @Test func `a file lies under its digest, however often it is added`() throws {
        let path = try scratch.file("data.jsonl", Array("{}\n".utf8))
        for _ in 0..<2 {
            let (digest, bytes) = try store.add(file: path)
            #expect(digest == Digest(of: "{}\n"))
            #expect(bytes == 3)
            #expect(store.contains(digest))
            #expect(
                store.path(of: digest).hasSuffix("/sha256/\(digest.hex.prefix(2))/\(digest.hex)"))
            #expect(try contents(store.path(of: digest)) == "{}\n")
            try store.verify(digest)
        }
        #expect(try incoming.isEmpty)
    }

    @Test func `the original may change without the artifact`() throws {
        let path = try scratch.file("data.jsonl", Array("before".utf8))
        let digest = try store.add(file: path).digest
        try Data("after".utf8).write(to: URL(fileURLWithPath: path))
        #expect(try contents(store.path(of: digest)) == "before")
    }

    @Test func `an empty file is an artifact too`() throws {
        let (digest, bytes) = try store.add(file: try scratch.file("empty", []))
        #expect(bytes == 0)
        try store.verify(digest)
    }

    @Test func `shards become one file, whatever they hold of it`() throws {
        let values: [String: [Float]] = ["c": [1, 2], "a": [3], "d": [], "b": [4, 5, 6]]
        func shard(_ names: String...) throws -> SafetensorsFile {
            let path = scratch.folder + "/\(names.joined()).safetensors"
            let tensors = names.map { ($0, [values[$0]?.count ?? 0], values[$0] ?? []) }
            _ = try write(tensors, to: path)
            return try SafetensorsFile(contentsOf: path)
        }
        let one = try store.add(merging: [shard("d", "b"), shard("c", "a")])
        let other = try store.add(merging: [shard("a"), shard("c", "d"), shard("b")])
        #expect(try one == other && incoming.isEmpty)
        try store.verify(one.digest)
        let merged = try SafetensorsFile(contentsOf: store.path(of: one.digest))
        #expect(merged.tensors.map(\.name) == ["a", "b", "c", "d"])
        #expect(merged.tensors.map(\.shape) == [[1], [3], [2], [0]])
        for (name, values) in values {
            #expect(try floats(name, in: merged) == values)
        }
        let error = #expect(throws: InputError.self) {
            try store.add(merging: [shard("a", "b"), shard("b", "c")])
        }
        #expect(error?.field == "b")
    }

    @Test func `damage and absence are told apart`() throws {
        let digest = try store.add(Array("whole".utf8)).digest
        let path = store.path(of: digest)
        try FileManager.default.removeItem(atPath: path)
        #expect(throws: ArtifactError.missing(digest, store: store.folder)) {
            try store.verify(digest)
        }
        try Data("hole".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: ArtifactError.damaged(path, found: Digest(of: "hole"))) {
            try store.verify(digest)
        }
    }

    @Test func `a folder is made of artifacts, again and again`() throws {
        let config = try store.add(Array("{}".utf8)).digest
        let weights = try store.add(Array("weights".utf8)).digest
        let folder = scratch.folder + "/model"
        for _ in 0..<2 {
            try store.materialize(
                ["config.json": config, "onnx/model.bin": weights], at: folder)
            #expect(try contents(folder + "/config.json") == "{}")
            #expect(try contents(folder + "/onnx/model.bin") == "weights")
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names.sorted() == ["config.json", "onnx"])
        }
        // A newer file takes the place of the older.
        try store.materialize(["config.json": weights], at: folder)
        #expect(try contents(folder + "/config.json") == "weights")
        #expect(try contents(store.path(of: config)) == "{}")
    }

    @Test(arguments: ["../out", "/etc/out", "a/../../out", "", "a//b", "."])
    func `a name that leads out of the folder is refused`(_ name: String) throws {
        let digest = try store.add(Array("x".utf8)).digest
        #expect(throws: InputError.self) {
            try store.materialize([name: digest], at: scratch.folder + "/model")
        }
        #expect(!FileManager.default.fileExists(atPath: scratch.folder + "/out"))
    }

    @Test func `a missing artifact is named`() throws {
        let digest = Digest(of: "never added")
        #expect(throws: ArtifactError.missing(digest, store: store.folder)) {
            try store.materialize(["x": digest], at: scratch.folder + "/model")
        }
    }

    @Test func `sweeping takes what was left half done, when it is old`() throws {
        let path = store.folder + "/incoming/.file.abc.partial"
        try Data("half".utf8).write(to: URL(fileURLWithPath: path))
        #expect(try store.sweep() == 0)
        #expect(try store.sweep(olderThan: .zero) == 1)
        #expect(try incoming.isEmpty)
    }
}

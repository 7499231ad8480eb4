import Artifacts
import FlywheelCore
import Foundation
import Testing

/// A folder of one test, which goes away with it.
final class Scratch {
    let folder: String
    init() throws {
        folder = NSTemporaryDirectory() + "flywheel-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Writes `bytes` to the file `name` and returns its path.
    func file(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        let path = folder + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }
    }
}

/// The bytes of a safetensors file with this header; `length` lies about it where given.
private func safetensors(_ header: String, data: Int, length: UInt64? = nil) -> [UInt8] {
    let length = length ?? UInt64(header.utf8.count)
    let prefix = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
    return prefix + Array(header.utf8) + (0..<data).map { UInt8(truncatingIfNeeded: $0) }
}

func write(
    _ tensors: [(String, [Int], [Float])], metadata: [String: String] = [:], to path: String
) throws -> Digest {
    let buffers = unsafe tensors.map { name, shape, values in
        let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
        _ = unsafe copy.initialize(from: values)
        return (name: name, shape: shape, values: UnsafeBufferPointer(copy))
    }
    defer { for index in unsafe buffers.indices { unsafe buffers[index].values.deallocate() } }
    return try unsafe SafetensorsWriter.write(buffers, metadata: metadata, to: path)
}

func floats(_ name: String, in file: SafetensorsFile) throws -> [Float] {
    try unsafe file.withBytes(of: name) { unsafe Array($0.bindMemory(to: Float.self)) }
}

@Suite struct SafetensorsFiles {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test func `what is written is read back, in its order`() throws {
        let path = scratch.folder + "/model.safetensors"
        let digest = try write(
            [
                ("z.weight", [2, 3], [1, 2, 3, 4, 5, 6]), ("a\"é", [], [-0.5]),
                ("empty", [0, 4], []),
            ],
            metadata: ["format": "pt"], to: path)

        let file = try SafetensorsFile(contentsOf: path)
        #expect(file.tensors.map(\.name) == ["z.weight", "a\"é", "empty"])
        #expect(file.tensors.map(\.shape) == [[2, 3], [], [0, 4]])
        #expect(file.tensors.map(\.count) == [6, 1, 0])
        #expect(file.tensors.allSatisfy { $0.type == .f32 })
        #expect(file.metadata == ["format": "pt"])
        #expect(try floats("z.weight", in: file) == [1, 2, 3, 4, 5, 6])
        #expect(try floats("a\"é", in: file) == [-0.5])
        #expect(try Digest(ofFile: path) == digest)
        #expect(try scratch.names == ["model.safetensors"])
    }

    @Test func `the bytes depend on the tensors alone`() throws {
        let tensors: [(String, [Int], [Float])] = [("w", [2], [1, 2])]
        let first = try write(tensors, metadata: ["b": "2", "a": "1"], to: scratch.folder + "/one")
        let second = try write(
            tensors, metadata: ["a": "1", "b": "2"], to: scratch.folder + "/two")
        #expect(first == second)

        let text = try Data(contentsOf: URL(fileURLWithPath: scratch.folder + "/one"))
        let header =
            #"{"__metadata__":{"a":"1","b":"2"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
        let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        #expect(
            Array(text) == [UInt8(padded.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(padded.utf8)
                + [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])
    }

    @Test func `a file of the reference implementation is read`() throws {
        // Written by release 0.8.0 of the safetensors library for Python.
        let header =
            #"{"__metadata__":{"format":"pt"},"c":{"dtype":"I64","shape":[0,4],"data_offsets":[0,0]},"#
            + #""b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"#
            + #""a":{"dtype":"F16","shape":[3],"data_offsets":[24,30]}}  "#
        let data: [UInt8] =
            [0, 0, 0, 0, 0, 0, 0x80, 0x3F, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40]
            + [0, 0, 0x80, 0x40, 0, 0, 0xA0, 0x40, 0, 0x3C, 0, 0x3C, 0, 0x3C]
        let path = try scratch.file("theirs", safetensors(header, data: 0) + data)
        let file = try SafetensorsFile(contentsOf: path)
        #expect(file.tensors.map(\.name) == ["c", "b", "a"])
        #expect(file.tensors.map(\.type) == [.i64, .f32, .f16])
        #expect(file.metadata == ["format": "pt"])
        #expect(try floats("b", in: file) == [0, 1, 2, 3, 4, 5])
    }

    @Test func `a file that cannot be written leaves nothing behind`() throws {
        try FileManager.default.createDirectory(
            atPath: scratch.folder + "/taken/by", withIntermediateDirectories: true)
        #expect(throws: FileError.self) {
            try write([("w", [1], [1])], to: scratch.folder + "/taken")
        }
        #expect(try scratch.names == ["taken"])
    }

    @Test func `data that lie askew are lent aligned`() throws {
        let header = #"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
        #expect(header.utf8.count % 4 != 0)
        let path = try scratch.file("askew", safetensors(header, data: 4))
        let file = try SafetensorsFile(contentsOf: path)
        #expect(try floats("w", in: file) == [Float(bitPattern: 0x0302_0100)])
    }

    @Test func `every type has its size`() throws {
        let sizes = [
            "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
            "U8": 1, "BOOL": 1,
        ]
        #expect(Set(sizes.keys) == Set(ElementType.allCases.map(\.rawValue)))
        for (name, size) in sizes {
            let header = #"{"w":{"dtype":"\#(name)","shape":[3],"data_offsets":[0,\#(3 * size)]}}"#
            let path = try scratch.file("typed", safetensors(header, data: 3 * size))
            #expect(try SafetensorsFile(contentsOf: path).tensors[0].count == 3)
        }
    }

    @Test func `a name that is not there is answered with one that is`() throws {
        let path = scratch.folder + "/model.safetensors"
        _ = try write([("lm_head.weight", [1], [1])], to: path)
        let file = try SafetensorsFile(contentsOf: path)
        let error = #expect(throws: InputError.self) { try floats("lm_head.weigth", in: file) }
        #expect(error?.field == "lm_head.weigth")
        #expect(error?.remedy.contains("lm_head.weight") == true)
    }
}

/// A file that is damaged, and what its error says.
struct Damaged: CustomTestStringConvertible, Sendable {
    var bytes: [UInt8]
    var field: String?
    var line: Int?
    var problem: String
    var testDescription: String { problem }

    init(
        _ header: String, data: Int = 8, length: UInt64? = nil, line: Int? = nil,
        at field: String? = nil, _ problem: String
    ) {
        bytes = safetensors(header, data: data, length: length)
        (self.field, self.line, self.problem) = (field, line, problem)
    }

    init(bytes: [UInt8], _ problem: String) {
        (self.bytes, self.problem) = (bytes, problem)
    }

    /// A header with one tensor, `w`.
    static func tensor(_ type: String, _ shape: String, _ offsets: String) -> String {
        #"{"w":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(offsets)}}"#
    }

    /// A header with two tensors of four bytes each, at these offsets.
    static func pair(_ first: String, _ second: String) -> String {
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":\#(first)},"b":{"dtype":"F32","shape":[1],"data_offsets":\#(second)}}"#
    }

    static let all = [
        Damaged(bytes: [], "the file has 0 bytes"),
        Damaged(bytes: [1, 2, 3], "the file has 3 bytes"),
        Damaged("{}", length: 1 << 40, "the header claims 1099511627776 bytes"),
        Damaged("{}", length: .max, "the header claims 18446744073709551615 bytes"),
        Damaged("{}", data: 0, length: 9, "the header claims 9 bytes, but the file has 10"),
        Damaged("[]", data: 0, "does not begin with '{'"),
        Damaged("{\n\"w\": }", line: 2, "'}' where a value should be"),
        Damaged("{} x", data: 0, line: 1, "'x' after the end"),
        Damaged(#"{"__metadata__":["x"]}"#, data: 0, at: "__metadata__", "not an object"),
        Damaged(#"{"__metadata__":{"a":1}}"#, data: 0, at: "__metadata__.a", "must be strings"),
        Damaged(#"{"w":[1]}"#, data: 0, at: "w", "the entry is not an object"),
        Damaged(#"{"w":{"shape":[1],"data_offsets":[0,4]}}"#, at: "w.dtype", "no type"),
        Damaged(tensor("F8_E4M3", "[8]", "[0,8]"), at: "w.dtype", "F8_E4M3 are not supported"),
        Damaged(tensor("F32", "2", "[0,8]"), at: "w.shape", "not an array"),
        Damaged(tensor("F32", "[-2]", "[0,8]"), at: "w.shape", "not a whole number from 0: -2"),
        Damaged(tensor("F32", "[2.5]", "[0,8]"), at: "w.shape", "not a whole number from 0: 2.5"),
        Damaged(
            tensor("F32", "[4294967296,4294967296]", "[0,8]"), at: "w.shape", "more elements"),
        Damaged(tensor("F32", "[2]", "[0]"), at: "w.data_offsets", "not a beginning and an end"),
        Damaged(tensor("F32", "[2]", "[8,0]"), at: "w.data_offsets", "not a beginning and an end"),
        Damaged(tensor("F32", "[4]", "[0,16]"), at: "w.data_offsets", "the data end at 16"),
        Damaged(tensor("F32", "[3]", "[0,8]"), at: "w", "takes 12 bytes, but the offsets span 8"),
        Damaged(pair("[0,4]", "[0,4]"), at: "b.data_offsets", "overlap those before by 4"),
        Damaged(pair("[0,4]", "[8,12]"), data: 12, at: "b.data_offsets", "4 bytes before"),
        Damaged(pair("[0,4]", "[4,8]"), data: 11, "3 bytes at the end"),
        Damaged(#"{"w":{},"w":{}}"#, at: "w.dtype", "no type"),
        Damaged(
            #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            at: "w", "the name comes twice"),
        Damaged(
            #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"strides":[1]}}"#,
            at: "w.strides", "an unknown key"),
    ]
}

@Suite struct DamagedSafetensors {
    @Test(arguments: Damaged.all)
    func `each is refused by a sentence that names the place`(_ damaged: Damaged) throws {
        let scratch = try Scratch()
        let path = try scratch.file("model.safetensors", damaged.bytes)
        let error = #expect(throws: InputError.self) { try SafetensorsFile(contentsOf: path) }
        #expect(error?.file == path)
        #expect(error?.field == damaged.field)
        #expect(error?.line == damaged.line)
        #expect(error?.problem.contains(damaged.problem) == true, "\(error?.description ?? "")")
    }

    @Test func `a file that is missing, or a folder, is refused`() throws {
        let scratch = try Scratch()
        for path in [scratch.folder + "/none", scratch.folder] {
            let error = #expect(throws: InputError.self) { try SafetensorsFile(contentsOf: path) }
            #expect(error?.file == path)
        }
    }
}

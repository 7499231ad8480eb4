import Artifacts
import FlywheelCore
import Foundation
import Models
import TestSupport
import Testing

@Suite struct ModelFolders {
    static func bits(_ model: Transformer) -> [UInt32] { unsafe model.parameters.map(\.bitPattern) }

    @Test(arguments: [true, false])
    func `what is written is read again, bit for bit`(tied: Bool) async throws {
        var configuration = TransformerConfiguration.small
        (configuration.tiedHead, configuration.bos, configuration.eos) = (tied, 1, [2, 3])
        let model = Transformer.random(configuration)
        try await temporaryFolder { folder in
            let digest = try model.write(folder: folder + "/out")
            #expect(try Digest(ofFile: folder + "/out/model.safetensors") == digest)
            #expect(try model.write(folder: folder + "/again") == digest)
            let read = try Transformer(folder: folder + "/out", rowTokensMax: 8, isTraining: false)
            #expect(read.configuration == configuration)
            #expect(Self.bits(read) == Self.bits(model))
            let files = try FileManager.default.contentsOfDirectory(atPath: folder + "/out")
            #expect(
                files.sorted() == ["config.json", "generation_config.json", "model.safetensors"])
        }
    }

    /// A safetensors file of raw tensors.
    static func safetensors(_ tensors: [(name: String, type: String, shape: [Int], bytes: [UInt8])])
        -> Data
    {
        var (members, data) = ([String](), [UInt8]())
        for tensor in tensors {
            let range = "[\(data.count),\(data.count + tensor.bytes.count)]"
            members.append(
                "\"\(tensor.name)\":{\"dtype\":\"\(tensor.type)\",\"shape\":\(tensor.shape),"
                    + "\"data_offsets\":\(range)}")
            data += tensor.bytes
        }
        let header = Array("{\(members.joined(separator: ","))}".utf8)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        return Data(length + header + data)
    }

    static func bytes(_ values: some Sequence<some FixedWidthInteger>) -> [UInt8] {
        values.flatMap { value in
            unsafe withUnsafeBytes(of: value.littleEndian) { unsafe Array($0) }
        }
    }

    @Test(arguments: ["BF16", "F16"])
    func `half precision and shards are read`(type: String) async throws {
        let model = Transformer.random(.small)
        let tensors = model.layout.entries.map { entry in
            let values = unsafe Array(
                model.parameters[entry.offset..<(entry.offset + entry.count)])
            let halves = values.map { value in
                type == "F16" ? Float16(value).bitPattern : UInt16(value.bitPattern >> 16)
            }
            return (name: entry.name, type: type, shape: entry.shape, bytes: Self.bytes(halves))
        }
        try await temporaryFolder { folder in
            try model.write(folder: folder)
            try FileManager.default.removeItem(atPath: folder + "/model.safetensors")
            var map: [String: String] = [:]
            for (name, part) in [
                ("a.safetensors", tensors[..<7]), ("b.safetensors", tensors[7...]),
            ] {
                for tensor in part { map[tensor.name] = name }
                try Self.safetensors(Array(part)).write(
                    to: URL(fileURLWithPath: folder + "/" + name))
            }
            let index = JSONValue.object(["weight_map": .object(map.mapValues { .string($0) })])
            let indexPath = folder + "/model.safetensors.index.json"
            try index.canonical.write(toFile: indexPath, atomically: true, encoding: .utf8)
            let read = try Transformer(folder: folder, rowTokensMax: 8, isTraining: false)
            for unsafe(own, other) in unsafe zip(read.parameters, model.parameters) {
                let expected =
                    type == "F16"
                    ? Float(Float16(other)) : Float(bitPattern: other.bitPattern & 0xffff_0000)
                if own != expected {
                    Issue.record("\(own) is not \(expected)")
                    break
                }
            }
            let bad = index.canonical.replacingOccurrences(
                of: "a.safetensors", with: "../a.safetensors")
            try bad.write(toFile: indexPath, atomically: true, encoding: .utf8)
            let error = #expect(throws: InputError.self) {
                try Transformer(folder: folder, rowTokensMax: 8, isTraining: false)
            }
            #expect(error?.field?.hasPrefix("weight_map.") == true)
        }
    }

    @Test func `weights that do not fit the configuration are refused by name`() async throws {
        let model = Transformer.random(.small)
        try await temporaryFolder { folder in
            try model.write(folder: folder)
            let path = folder + "/config.json"
            let config = try String(contentsOfFile: path, encoding: .utf8)
            func refusal(_ old: String, _ new: String) throws -> InputError? {
                #expect(config.contains(old))
                let changed = config.replacingOccurrences(of: old, with: new)
                try changed.write(toFile: path, atomically: true, encoding: .utf8)
                return #expect(throws: InputError.self) {
                    try Transformer(folder: folder, rowTokensMax: 8, isTraining: false)
                }
            }
            let more = try refusal("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3")
            #expect(more?.field == "model.layers.2.input_layernorm.weight")
            let fewer = try refusal("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1")
            #expect(fewer?.problem.contains("no such tensor") == true)
            let wider = try refusal("\"intermediate_size\": 40", "\"intermediate_size\": 41")
            #expect(wider?.field == "model.layers.0.mlp.gate_proj.weight")
            #expect(wider?.problem.contains("[40, 24]") == true)
            let untied = try refusal(
                "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false")
            #expect(untied?.field == "lm_head.weight")
        }
    }

    @Test func `a folder without weights, or with numbers that are none, is refused`() async throws
    {
        let model = Transformer.random(.small)
        unsafe model.parameters[model.layout.entries[3].offset + 5] = .nan
        try await temporaryFolder { folder in
            try model.write(folder: folder)
            let error = #expect(throws: InputError.self) {
                try Transformer(folder: folder, rowTokensMax: 8, isTraining: false)
            }
            #expect(error?.field == model.layout.entries[3].name)
            try FileManager.default.removeItem(atPath: folder + "/model.safetensors")
            #expect(throws: InputError.self) {
                try Transformer(folder: folder, rowTokensMax: 8, isTraining: false)
            }
        }
    }
}

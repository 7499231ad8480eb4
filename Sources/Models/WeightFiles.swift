public import Artifacts
import FlywheelCore
import Foundation

/// The safetensors files of a folder: one, or shards that an index names.
public struct WeightFiles {
    /// What the file of a model in one file is called.
    public static let single = "model.safetensors"
    /// What says which shard has which tensor.
    public static let index = "model.safetensors.index.json"

    public let files: [SafetensorsFile]
    private let folder: String
    /// Which of `files` holds a tensor.
    private let places: [String: Int]

    /// Opens the files; throws `InputError` where `folder` has none, or an index that does not fit them.
    public init(folder: String) throws {
        self.folder = folder
        let manager = FileManager.default
        if manager.fileExists(atPath: folder + "/" + Self.single) {
            let file = try SafetensorsFile(contentsOf: folder + "/" + Self.single)
            files = [file]
            places = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, 0) })
        } else if manager.fileExists(atPath: folder + "/" + Self.index) {
            (files, places) = try Self.shards(folder)
        } else {
            throw InputError(
                file: folder, "has neither \(Self.single) nor \(Self.index)",
                remedy: "Nothing was loaded. Give a Hugging Face folder with safetensors weights.")
        }
    }

    /// Opens what the index's `weight_map` names: tensor to file.
    private static func shards(
        _ folder: String
    ) throws -> (files: [SafetensorsFile], places: [String: Int]) {
        let path = folder + "/" + index
        let text = try Data(contentsOf: URL(fileURLWithPath: path))
        let json: JSONValue
        do { json = try JSONValue(parsing: text) } catch { throw error.inFile(path) }
        guard let map = json["weight_map"]?.object else {
            throw InputError(
                file: path, field: "weight_map", "missing, or no object",
                remedy: "Nothing was loaded.")
        }
        var names: [String: String] = [:]
        for (tensor, value) in map {
            // A name that leaves the folder could read any file of this machine.
            guard let name = value.string, !name.contains("/"), name.hasSuffix(".safetensors")
            else {
                throw InputError(
                    file: path, field: "weight_map.\(tensor)",
                    "\(value.canonical) is not the name of a safetensors file in this folder",
                    remedy: "Nothing was loaded.")
            }
            names[tensor] = name
        }
        let order = Set(names.values).sorted()
        let files = try order.map { try SafetensorsFile(contentsOf: folder + "/" + $0) }
        var places: [String: Int] = [:]
        for (tensor, name) in names {
            guard let number = order.firstIndex(of: name),
                files[number].tensor(named: tensor) != nil
            else {
                throw InputError(
                    file: path, field: "weight_map.\(tensor)", "\(name) has no such tensor",
                    remedy: "Nothing was loaded. Download the folder again.")
            }
            places[tensor] = number
        }
        return (files, places)
    }

    /// Every tensor of `layout` is there, in its shape and a readable type, and nothing else is
    /// that would change the computation.
    func check(_ layout: ParameterLayout, tied: Bool) throws(InputError) {
        for entry in layout.entries {
            guard let number = places[entry.name],
                let tensor = files[number].tensor(named: entry.name)
            else {
                let near = nearest(to: entry.name, among: places.keys)
                throw InputError(
                    file: files.count == 1 ? files[0].path : folder, field: entry.name,
                    "the tensor is missing",
                    remedy: "Nothing was loaded." + (near.map { " There is \($0)." } ?? ""))
            }
            guard tensor.shape == entry.shape else {
                throw InputError(
                    file: files[number].path, field: entry.name,
                    "its shape is \(tensor.shape), and config.json asks for \(entry.shape)",
                    remedy: "Nothing was loaded. Use the config.json of these weights.")
            }
            guard [.f32, .bf16, .f16].contains(tensor.type) else {
                throw InputError(
                    file: files[number].path, field: entry.name,
                    "elements of type \(tensor.type.rawValue) are not F32, BF16 or F16",
                    remedy: "Nothing was loaded.")
            }
        }
        let known = Set(layout.entries.map(\.name) + (tied ? ["lm_head.weight"] : []))
        // Older files keep the rotary frequencies, which follow from the configuration.
        let extra = places.keys.filter {
            !known.contains($0) && !$0.hasSuffix("rotary_emb.inv_freq")
        }
        if let name = extra.min(), let number = places[name] {
            throw InputError(
                file: files[number].path, field: name,
                "a decoder of this configuration has no such tensor",
                remedy: "Nothing was loaded. Check that weights and config.json belong together.")
        }
    }

    /// Reads the tensor called `name`, which `check` has seen.
    func read(_ name: String, into values: UnsafeMutableBufferPointer<Float>) throws {
        guard let number = places[name], let tensor = files[number].tensor(named: name) else {
            preconditionFailure("\(name) was not checked")
        }
        try unsafe files[number].withBytes(of: name) { bytes in
            for index in values.indices {
                switch tensor.type {
                case .f32:
                    unsafe values[index] = bytes.loadUnaligned(
                        fromByteOffset: 4 * index, as: Float.self)
                case .bf16:
                    let half = unsafe bytes.loadUnaligned(
                        fromByteOffset: 2 * index, as: UInt16.self)
                    unsafe values[index] = Float(bitPattern: UInt32(half) << 16)
                default:
                    let half = unsafe bytes.loadUnaligned(
                        fromByteOffset: 2 * index, as: UInt16.self)
                    unsafe values[index] = Float(Float16(bitPattern: half))
                }
            }
        }
        guard unsafe values.allSatisfy(\.isFinite) else {
            throw InputError(
                file: files[number].path, field: name, "holds numbers that are not finite",
                remedy: "Nothing was loaded. The weights are damaged.")
        }
    }
}

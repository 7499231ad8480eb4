public import FlywheelCore

/// Writes `.safetensors` files of single-precision tensors.
public struct SafetensorsWriter {
    /// Writes `tensors` in their order to `path` and returns the digest of the file.
    ///
    /// The bytes are a function of the arguments other than `path`. The file appears whole, forced to
    /// disk, or not at all. Names must differ, and each shape must have as many elements as its values.
    public static func write(
        _ tensors: [(name: String, shape: [Int], values: UnsafeBufferPointer<Float>)],
        metadata: [String: String] = [:], to path: String
    ) throws -> Digest {
        let header = unsafe header(tensors, metadata)
        var file = try DurableFile(at: path)
        try unsafe header.withUnsafeBytes { try unsafe file.write($0) }
        for index in unsafe tensors.indices {
            try unsafe file.write(UnsafeRawBufferPointer(tensors[index].values))
        }
        return try file.commit()
    }

    /// The digest that a file of `tensors` would have, without writing it.
    public static func digest(
        of tensors: [(name: String, shape: [Int], values: UnsafeBufferPointer<Float>)],
        metadata: [String: String] = [:]
    ) -> Digest {
        var digester = Digester()
        digester.update(unsafe header(tensors, metadata))
        for index in unsafe tensors.indices {
            let tensor = unsafe tensors[index]
            unsafe digester.update(UnsafeRawBufferPointer(tensor.values))
        }
        return digester.finish()
    }

    /// Writes the tensors of `files`, as they are, in order of their names.
    static func merge(_ files: [SafetensorsFile], into output: inout DurableFile) throws {
        let places = files.flatMap { file in file.tensors.map { (tensor: $0, file: file) } }
            .sorted { $0.tensor.name < $1.tensor.name }
        for (one, next) in zip(places, places.dropFirst())
        where one.tensor.name == next.tensor.name {
            throw InputError(
                file: next.file.path, field: next.tensor.name,
                "\(one.file.path) has a tensor of this name too",
                remedy: "Nothing was written. Download the folder again.")
        }
        let header = header(
            places.map { ($0.tensor.name, $0.tensor.type, $0.tensor.shape) }, ["format": "pt"])
        try unsafe header.withUnsafeBytes { try unsafe output.write($0) }
        for place in places {
            try unsafe place.file.withBytes(of: place.tensor.name) { try unsafe output.write($0) }
        }
    }

    private static func header(
        _ tensors: [(name: String, shape: [Int], values: UnsafeBufferPointer<Float>)],
        _ metadata: [String: String]
    ) -> [UInt8] {
        for index in unsafe tensors.indices {
            let (name, shape) = unsafe (tensors[index].name, tensors[index].shape)
            let count = unsafe tensors[index].values.count
            precondition(shape.reduce(1, *) == count, "\(name) has \(count) values for \(shape)")
        }
        return header(unsafe tensors.map { unsafe ($0.name, .f32, $0.shape) }, metadata)
    }

    /// The length and the JSON of the header, padded with blanks so that the data begin at a multiple
    /// of eight bytes.
    private static func header(
        _ tensors: [(name: String, type: ElementType, shape: [Int])], _ metadata: [String: String]
    ) -> [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty {
            let value = JSONValue.object(metadata.mapValues(JSONValue.string))
            members.append("\"\(SafetensorsHeader.metadataKey)\":\(value.canonical)")
        }
        var offset = 0
        var names: Set<String> = [SafetensorsHeader.metadataKey]
        for (name, type, shape) in tensors {
            precondition(names.insert(name).inserted, "two tensors are called \(name)")
            let size = shape.reduce(1, *) * type.size
            let dimensions = shape.map(String.init).joined(separator: ",")
            members.append(
                """
                \(JSONValue.string(name).canonical):{"dtype":"\(type.rawValue)",\
                "shape":[\(dimensions)],"data_offsets":[\(offset),\(offset + size)]}
                """)
            offset += size
        }
        var text = Array("{\(members.joined(separator: ","))}".utf8)
        text += Array(repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
        return length + text
    }
}

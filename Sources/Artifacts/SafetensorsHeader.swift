import FlywheelCore

/// The header of a `.safetensors` file: eight bytes of length, then JSON, then the data.
struct SafetensorsHeader {
    typealias Tensor = SafetensorsFile.Tensor

    /// As in the reference implementation: no header of an honest file is larger.
    static let lengthMax = 100_000_000
    static let metadataKey = "__metadata__"

    private(set) var tensors: [Tensor] = []
    private(set) var metadata: [String: String] = [:]
    private let path: String
    private let dataStart: Int
    private let fileSize: Int

    init(of file: UnsafeRawBufferPointer, path: String) throws(InputError) {
        self.path = path
        fileSize = file.count
        guard fileSize >= 8 else {
            throw Self.damaged(path, "the file has \(fileSize) bytes, too few for a header")
        }
        let length = UInt64(littleEndian: unsafe file.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(Self.lengthMax) else {
            throw Self.damaged(
                path,
                "the header claims \(length) bytes, more than the \(Self.lengthMax) allowed")
        }
        dataStart = 8 + Int(length)
        guard dataStart <= fileSize else {
            throw Self.damaged(
                path, "the header claims \(length) bytes, but the file has \(fileSize)")
        }
        let text = unsafe Array(file[8..<dataStart])
        guard text.first == UInt8(ascii: "{") else {
            throw Self.damaged(path, "the header does not begin with '{'")
        }
        do throws(InputError) {
            try read(text)
        } catch {
            throw error.file == nil ? error.inFile(path) : error
        }
        try checkLayout()
    }

    private static func damaged(
        _ path: String, field: String? = nil, _ problem: String
    ) -> InputError {
        InputError(
            file: path, field: field, problem,
            remedy:
                "Nothing was read. The file is damaged or not safetensors: fetch or export it again."
        )
    }

    private mutating func read(_ text: [UInt8]) throws(InputError) {
        var reader = JSONReader(text)
        var header = self
        var seen: Set<String> = []
        try reader.members { (reader, key) throws(InputError) in
            guard seen.insert(key).inserted else {
                throw Self.damaged(header.path, field: key, "the name comes twice")
            }
            let value = try reader.value()
            if key == Self.metadataKey {
                try header.readMetadata(value)
            } else {
                try header.readTensor(key, value)
            }
        }
        try reader.finish()
        self = header
    }

    private mutating func readMetadata(_ value: JSONValue) throws(InputError) {
        guard case .object(let members) = value else {
            throw Self.damaged(path, field: Self.metadataKey, "the metadata are not an object")
        }
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            guard let text = value.string else {
                throw Self.damaged(
                    path, field: "\(Self.metadataKey).\(key)", "metadata must be strings")
            }
            metadata[key] = text
        }
    }

    private mutating func readTensor(_ name: String, _ value: JSONValue) throws(InputError) {
        guard case .object(let members) = value else {
            throw Self.damaged(path, field: name, "the entry is not an object")
        }
        let known = ["dtype", "shape", "data_offsets"]
        if let other = members.keys.filter({ !known.contains($0) }).min() {
            throw Self.damaged(path, field: "\(name).\(other)", "an unknown key")
        }
        guard let written = members["dtype"]?.string else {
            throw Self.damaged(path, field: "\(name).dtype", "no type is given")
        }
        guard let type = ElementType(rawValue: written) else {
            let known = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
            throw InputError(
                file: path, field: "\(name).dtype", "elements of type \(written) are not supported",
                remedy: "Nothing was read. Convert the tensor to one of \(known).")
        }
        let shape = try naturals(members["shape"], "\(name).shape")
        let offsets = try naturals(members["data_offsets"], "\(name).data_offsets")
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw Self.damaged(
                path, field: "\(name).data_offsets", "not a beginning and an end: \(offsets)")
        }
        guard offsets[1] <= fileSize - dataStart else {
            throw Self.damaged(
                path, field: "\(name).data_offsets",
                "the data end at \(offsets[1]), but the file has \(fileSize - dataStart) bytes of data"
            )
        }
        let (count, size) = try self.size(of: shape, type, name)
        guard size == offsets[1] - offsets[0] else {
            throw Self.damaged(
                path, field: name,
                "shape \(shape) of \(type.rawValue) takes \(size) bytes, but the offsets span \(offsets[1] - offsets[0])"
            )
        }
        tensors.append(
            Tensor(
                name: name, type: type, shape: shape, count: count,
                bytes: dataStart + offsets[0]..<dataStart + offsets[1]))
    }

    private func size(
        of shape: [Int], _ type: ElementType, _ name: String
    ) throws(InputError) -> (count: Int, size: Int) {
        // A zero anywhere makes the tensor empty, however large the other dimensions.
        if shape.contains(0) { return (0, 0) }
        var size = type.size
        for dimension in shape {
            let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
            guard !overflow else {
                throw Self.damaged(
                    path, field: "\(name).shape", "the shape \(shape) has more elements than memory"
                )
            }
            size = product
        }
        return (size / type.size, size)
    }

    private func naturals(_ value: JSONValue?, _ field: String) throws(InputError) -> [Int] {
        guard let elements = value?.array else {
            throw Self.damaged(path, field: field, "not an array of numbers")
        }
        var numbers: [Int] = []
        for element in elements {
            guard case .integer(let number) = element, number >= 0 else {
                throw Self.damaged(
                    path, field: field, "not a whole number from 0: \(element.canonical)")
            }
            numbers.append(Int(number))
        }
        return numbers
    }

    /// Makes sure that the tensors, in order of their offsets, fill the data exactly.
    private mutating func checkLayout() throws(InputError) {
        tensors.sort {
            ($0.bytes.lowerBound, $0.bytes.upperBound, $0.name)
                < ($1.bytes.lowerBound, $1.bytes.upperBound, $1.name)
        }
        var end = dataStart
        for tensor in tensors {
            let begin = tensor.bytes.lowerBound
            guard begin >= end else {
                throw Self.damaged(
                    path, field: "\(tensor.name).data_offsets",
                    "the data overlap those before by \(end - begin) bytes")
            }
            guard begin == end else {
                throw Self.damaged(
                    path, field: "\(tensor.name).data_offsets",
                    "\(begin - end) bytes before the data belong to no tensor")
            }
            end = tensor.bytes.upperBound
        }
        guard end == fileSize else {
            throw Self.damaged(path, "\(fileSize - end) bytes at the end belong to no tensor")
        }
    }
}

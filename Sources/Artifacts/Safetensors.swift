import FlywheelCore

/// The types of element that safetensors files hold and we read.
public enum ElementType: String, Sendable, CaseIterable {
    case f64 = "F64"
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case i64 = "I64"
    case i32 = "I32"
    case i16 = "I16"
    case i8 = "I8"
    case u8 = "U8"
    case bool = "BOOL"

    /// Bytes of one element.
    public var size: Int {
        switch self {
        case .f64, .i64: 8
        case .f32, .i32: 4
        case .f16, .bf16, .i16: 2
        case .i8, .u8, .bool: 1
        }
    }
}

/// A `.safetensors` file: named tensors, mapped into memory, read where they lie.
///
/// Opening one validates all of its header, so that no later access can leave the file: its length,
/// its JSON, types, and shapes; and that the tensors fill the data without overlap or hole.
public struct SafetensorsFile: Sendable {
    /// What the header says of one tensor.
    public struct Tensor: Sendable, Equatable {
        public let name: String
        public let type: ElementType
        public let shape: [Int]
        /// Elements: the product of `shape`.
        public let count: Int
        /// Where its bytes lie in the file.
        let bytes: Range<Int>
    }

    public let path: String
    /// In the order in which they lie in the file.
    public let tensors: [Tensor]
    public let metadata: [String: String]
    private let indices: [String: Int]
    private let mapping: MappedFile

    /// Maps and validates the file at `path`; throws `InputError` naming the tensor at fault.
    public init(contentsOf path: String) throws {
        mapping = try MappedFile(path)
        let header = try unsafe SafetensorsHeader(of: mapping.bytes, path: path)
        self.path = path
        tensors = header.tensors
        metadata = header.metadata
        indices = Dictionary(
            uniqueKeysWithValues: header.tensors.enumerated().map { ($1.name, $0) })
    }

    /// The tensor called `name`, if there is one.
    public func tensor(named name: String) -> Tensor? { indices[name].map { tensors[$0] } }

    /// Lends the bytes of the tensor called `name`, aligned for its elements.
    ///
    /// They are the file's own pages, or a copy where the file's header was not padded and its data
    /// therefore lie askew. Throws `InputError` where the file has no such tensor.
    public func withBytes<R>(
        of name: String, _ body: (UnsafeRawBufferPointer) throws -> R
    ) throws -> R {
        guard let tensor = tensor(named: name) else {
            let near = nearest(to: name, among: tensors.map(\.name)).map { "It has \($0). " } ?? ""
            throw InputError(
                file: path, field: name, "the file has no tensor of this name",
                remedy: near + "Check that the file belongs to this model.")
        }
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: mapping.bytes[tensor.bytes])
        guard tensor.bytes.lowerBound % tensor.type.size != 0 else { return try unsafe body(bytes) }
        let copy = UnsafeMutableRawBufferPointer.allocate(
            byteCount: bytes.count, alignment: 64)
        defer { unsafe copy.deallocate() }
        unsafe copy.copyMemory(from: bytes)
        return try unsafe body(UnsafeRawBufferPointer(copy))
    }
}

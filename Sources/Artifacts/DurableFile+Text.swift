/// Writes `text` to `path`: the file appears whole, forced to disk, or not at all.
package func writeDurably(_ text: String, to path: String) throws {
    var file = try DurableFile(at: path)
    var text = text
    try text.withUTF8 { try unsafe file.write(UnsafeRawBufferPointer($0)) }
    _ = try file.commit()
}

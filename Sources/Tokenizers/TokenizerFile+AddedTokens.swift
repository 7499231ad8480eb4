import FlywheelCore

extension TokenizerFile {
    /// The tokens of `added_tokens`, in order.
    func addedTokens() throws(InputError) -> [AddedTokens.Token] {
        guard let list = top["added_tokens"], list != .null else { return [] }
        guard let elements = list.array else {
            throw Self.malformed("added_tokens", "the added tokens are not an array")
        }
        var tokens: [AddedTokens.Token] = []
        var contents: Set<[UInt8]> = []
        for (index, element) in elements.enumerated() {
            let field = "added_tokens[\(index)]"
            guard let id = element["id"]?.integer, (0...Self.idMax).contains(id) else {
                throw Self.malformed("\(field).id", "not a whole number from 0 to \(Self.idMax)")
            }
            guard let content = element["content"]?.string, !content.isEmpty else {
                throw Self.malformed("\(field).content", "the token has no text")
            }
            guard contents.insert(Array(content.utf8)).inserted else {
                throw Self.malformed("\(field).content", "the token \"\(content)\" comes twice")
            }
            func flag(_ name: String, or preset: Bool) throws(InputError) -> Bool {
                guard let value = element[name], value != .null else { return preset }
                guard let flag = value.boolean else {
                    throw Self.malformed("\(field).\(name)", "neither true nor false")
                }
                return flag
            }
            let isSpecial = try flag("special", or: false)
            tokens.append(
                AddedTokens.Token(
                    id: Int32(id), content: content, isSpecial: isSpecial,
                    stripsLeft: try flag("lstrip", or: false),
                    stripsRight: try flag("rstrip", or: false),
                    isWord: try flag("single_word", or: false),
                    isNormalized: try flag("normalized", or: !isSpecial)))
        }
        return tokens
    }
}

/// Something a person wrote that cannot be used: what is wrong, where, and what to do.
///
/// One sentence each, in the order in which somebody acts on them. Commands that meet one exit with
/// status 65 and leave nothing half done.
public struct InputError: Error, Equatable, Sendable {
    /// The file, as the person named it; nil for a command line or a request.
    public var file: String?
    /// The line, counted from 1, where the format has lines.
    public var line: Int?
    /// The field, as a path: `method.adapter.rank`, `messages[2].role`.
    public var field: String?
    /// What is wrong, without a final full stop.
    public var problem: String
    /// What became of the work and what to do, as whole sentences; may be empty.
    public var remedy: String

    public init(
        file: String? = nil, line: Int? = nil, field: String? = nil, _ problem: String,
        remedy: String = ""
    ) {
        self.file = file
        self.line = line
        self.field = field
        self.problem = problem
        self.remedy = remedy
    }

    /// The same error, said of `file` where it named none.
    public func inFile(_ file: String) -> Self {
        var copy = self
        copy.file = self.file ?? file
        return copy
    }
}

extension InputError: CustomStringConvertible {
    public var description: String {
        var place = file ?? ""
        if let line { place += place.isEmpty ? "line \(line)" : ":\(line)" }
        let parts = [place, field ?? ""].filter { !$0.isEmpty } + [problem + "."]
        return ([parts.joined(separator: ": ")] + (remedy.isEmpty ? [] : [remedy]))
            .joined(separator: " ")
    }
}

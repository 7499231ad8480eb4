import FlywheelCore

/// The part of the Jinja language in which chat templates are written.
///
/// It renders as transformers does: Jinja2's `ImmutableSandboxedEnvironment` with `trim_blocks`,
/// `lstrip_blocks`, `break` and `continue`, `{% generation %}`, and a `tojson` of its own. What is
/// not known here is refused by name when the template is read, wherever its text alone tells. A
/// template comes with a model from somewhere, so what it may consume is limited.
enum Jinja {
    /// What one rendering may consume.
    enum Limits {
        /// Iterations of all loops together.
        static let iterationsMax = 1_000_000
        /// Bytes of all texts that are made on the way, and 16 for each element of a list.
        static let bytesMax = 256 << 20
        /// Macros that call each other.
        static let callsMax = 64
        /// How deep expressions and blocks may nest in a template, and values in a namespace.
        static let depthMax = 64
        /// Elements of a `range`, as in Jinja2's sandbox.
        static let rangeMax = 100_000
    }

    /// A template, parsed once and rendered often.
    struct Program: Sendable {
        let nodes: [Node]
        /// The number of each name.
        let numbers: [String: Int]
        /// Whether `{% generation %}` marks what the model writes.
        let marksGeneration: Bool

        /// Throws `InputError` with the line of what cannot be understood.
        init(parsing source: String) throws {
            var lexer = Lexer(source)
            var parser = Parser(try lexer.tokens())
            nodes = try parser.template()
            numbers = parser.numbers
            marksGeneration = parser.marksGeneration
        }

        /// The template written out with `context` for its variables.
        func render(_ context: [(String, Value)], clock: TemplateClock) throws -> Output {
            let renderer = Renderer(self, clock: clock)
            for (name, value) in context {
                guard let number = numbers[name] else { continue }
                renderer.define(number, value)
            }
            var output = Output()
            _ = try renderer.run(nodes, into: &output)
            return output
        }
    }

    /// What a rendering wrote.
    struct Output {
        var text = Text()
        /// The bytes within each `{% generation %}` block.
        var generations: [Range<Int>] = []
    }
}

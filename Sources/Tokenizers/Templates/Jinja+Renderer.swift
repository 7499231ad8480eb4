import FlywheelCore

extension Jinja {
    /// Writes a template out once.
    final class Renderer {
        /// What runs after a statement.
        enum Flow { case onward, breaks, continues }

        let clock: TemplateClock
        /// The number of the name `loop`, where the template uses it.
        private let loopNumber: Int?
        /// All scopes, one after the other: of the template, then of loops and macros.
        private var variables: [(number: Int, value: Value)] = []
        /// Where each scope but the template's begins.
        private var scopes: [Int] = []
        /// Where the innermost macro's scopes begin: between these and the template's it sees nothing.
        private var floor = 0
        private var calls = 0
        private var iterationsLeft = Limits.iterationsMax
        private var bytesLeft = Limits.bytesMax

        init(_ program: Program, clock: TemplateClock) {
            loopNumber = program.numbers["loop"]
            self.clock = clock
        }

        // MARK: Variables

        func define(_ number: Int, _ value: Value) {
            let start = scopes.last ?? 0
            if let index = variables[start...].firstIndex(where: { $0.number == number }) {
                variables[index].value = value
            } else {
                variables.append((number, value))
            }
        }

        func value(of name: Name) -> Value {
            var index = variables.count
            while index > floor {
                index -= 1
                if variables[index].number == name.number { return variables[index].value }
            }
            if floor > 0 {
                index = scopes.first ?? floor
                while index > 0 {
                    index -= 1
                    if variables[index].number == name.number { return variables[index].value }
                }
            }
            return name.function.map { .function($0) } ?? .undefined("\"\(name.text)\"")
        }

        private func scoped<Result>(_ body: () throws -> Result) rethrows -> Result {
            let start = variables.count
            scopes.append(start)
            defer {
                variables.removeLast(variables.count - start)
                scopes.removeLast()
            }
            return try body()
        }

        func assign(_ target: Target, _ value: Value) throws {
            switch target {
            case .name(let name): define(name.number, value)
            case .attribute(let name, let member):
                guard case .namespace(let space) = self.value(of: name) else {
                    throw failure(
                        "\"\(name.text)\" is not a namespace, so its members cannot be set")
                }
                try check(value, depth: 1)
                space.members[member] = value
            case .tuple(let targets):
                let parts = try elements(of: value)
                guard parts.count == targets.count else {
                    throw failure("\(parts.count) values where \(targets.count) are named")
                }
                for (target, part) in zip(targets, parts) { try assign(target, part) }
            }
        }

        /// Only through namespaces can values grow from one iteration to the next.
        private func check(_ value: Value, depth: Int) throws {
            guard depth <= Limits.depthMax else {
                throw failure("a value nests deeper than \(Limits.depthMax)")
            }
            switch value {
            case .list(let parts), .tuple(let parts):
                try spend(parts.count)
                for part in parts { try check(part, depth: depth + 1) }
            case .mapping(let mapping):
                try spend(mapping.entries.count)
                for entry in mapping.entries { try check(entry.value, depth: depth + 1) }
            case .namespace, .loop:
                throw failure("a namespace cannot hold \(value.kind)")
            default: break
            }
        }

        // MARK: Limits

        func failure(_ problem: String) -> InputError { InputError(problem) }

        /// Counts bytes that a rendering makes.
        func spend(_ bytes: Int) throws {
            bytesLeft -= bytes
            guard bytesLeft >= 0 else {
                throw failure("the template makes more than \(Limits.bytesMax) bytes of text")
            }
        }

        // MARK: Statements

        func run(_ nodes: [Node], into output: inout Output) throws -> Flow {
            for node in nodes {
                do {
                    let flow = try run(node.statement, into: &output)
                    guard case .onward = flow else { return flow }
                } catch var error as InputError where error.line == nil {
                    error.line = node.line
                    throw error
                }
            }
            return .onward
        }

        private func run(_ statement: Statement, into output: inout Output) throws -> Flow {
            switch statement {
            case .data(let text): try write(text, into: &output)
            case .print(let expression):
                let value = try evaluate(expression)
                if case .text(let text) = value {
                    try write(text, into: &output)
                } else {
                    try write(try string(value), into: &output)
                }
            case .set(let target, let expression): try assign(target, try evaluate(expression))
            case .setBlock(let target, let nodes): try assign(target, .text(try text(of: nodes)))
            case .condition(let branches, let otherwise):
                for (condition, nodes) in branches where try evaluate(condition).isTrue {
                    return try run(nodes, into: &output)
                }
                return try run(otherwise, into: &output)
            case .block(let nodes): return try run(nodes, into: &output)
            case .loop(let loop): try run(loop, into: &output)
            case .macro(let macro): define(macro.name.number, .macro(macro))
            case .generation(let nodes):
                let start = output.text.bytes.count
                let flow = try scoped { try run(nodes, into: &output) }
                output.generations.append(start..<output.text.bytes.count)
                return flow
            case .break: return .breaks
            case .continue: return .continues
            }
            return .onward
        }

        private func write(_ text: Text, into output: inout Output) throws {
            try spend(text.bytes.count)
            output.text.append(text)
        }

        private func text(of nodes: [Node]) throws -> Text {
            var output = Output()
            _ = try run(nodes, into: &output)
            return output.text
        }

        private func run(_ statement: LoopStatement, into output: inout Output) throws {
            var items = try elements(of: try evaluate(statement.items))
            if let condition = statement.condition {
                items = try items.filter { item in
                    try scoped {
                        try count()
                        try assign(statement.target, item)
                        return try evaluate(condition).isTrue
                    }
                }
            }
            guard !items.isEmpty else {
                _ = try run(statement.otherwise, into: &output)
                return
            }
            let loop = Loop(items)
            for index in items.indices {
                loop.index = index
                let flow = try scoped {
                    try count()
                    if let loopNumber { variables.append((loopNumber, .loop(loop))) }
                    try assign(statement.target, items[index])
                    return try run(statement.body, into: &output)
                }
                if case .breaks = flow { break }
            }
        }

        private func count() throws {
            iterationsLeft -= 1
            guard iterationsLeft >= 0 else {
                throw failure("its loops run more than \(Limits.iterationsMax) times")
            }
        }

        // MARK: Macros

        func call(_ macro: Macro, _ given: Given) throws -> Value {
            guard calls < Limits.callsMax else {
                throw failure("macros call each other deeper than \(Limits.callsMax)")
            }
            let values = try given.bound(
                to: macro.parameters.map(\.name.text), of: "the macro \(macro.name.text)")
            let outerFloor = floor
            calls += 1
            floor = variables.count
            defer { (calls, floor) = (calls - 1, outerFloor) }
            return try scoped {
                for (parameter, value) in zip(macro.parameters, values) {
                    let value = try value ?? parameter.fallback.map { try evaluate($0) }
                    define(parameter.name.number, value ?? .undefined("\"\(parameter.name.text)\""))
                }
                return .text(try text(of: macro.body))
            }
        }
    }
}

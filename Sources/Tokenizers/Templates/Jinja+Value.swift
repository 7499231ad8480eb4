extension Jinja {
    /// What an expression is worth: Python's values, as far as templates meet them.
    enum Value {
        /// Nothing has this name; most uses are refused, but not truth, printing and looping.
        case undefined(String)
        case none
        case boolean(Bool)
        case integer(Int)
        case number(Double)
        case text(Text)
        case list([Value])
        case tuple([Value])
        case mapping(Mapping)
        case namespace(Namespace)
        case loop(Loop)
        case macro(Macro)
        case function(Function)
    }

    /// A dictionary in the order in which it was written.
    struct Mapping {
        private(set) var entries: [(key: Text, value: Value)] = []

        init() {}

        init(_ entries: [(String, Value)]) {
            self.entries = entries.map { (Text($0.0), $0.1) }
        }

        subscript(key: Text) -> Value? {
            get { entries.first { $0.key == key }?.value }
            set {
                guard let newValue else { return }
                if let index = entries.firstIndex(where: { $0.key == key }) {
                    entries[index].value = newValue
                } else {
                    entries.append((key, newValue))
                }
            }
        }

        /// Adds an entry whose key is known to be new.
        mutating func append(_ key: Text, _ value: Value) { entries.append((key, value)) }
    }

    /// What `namespace(...)` makes: the one thing whose parts can be set from within a loop.
    final class Namespace {
        var members = Mapping()
    }

    /// The `loop` of a `for`.
    final class Loop {
        let items: [Value]
        var index = 0

        init(_ items: [Value]) { self.items = items }
    }
}

extension Jinja.Value {
    /// How the kind of value is called in sentences.
    var kind: String {
        switch self {
        case .undefined(let what): "\(what), which is undefined"
        case .none: "none"
        case .boolean: "a truth value"
        case .integer, .number: "a number"
        case .text: "a text"
        case .list: "a list"
        case .tuple: "a tuple"
        case .mapping: "a mapping"
        case .namespace: "a namespace"
        case .loop: "the loop"
        case .macro, .function: "a function"
        }
    }

    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .boolean(let value): value
        case .integer(let value): value != 0
        case .number(let value): value != 0
        case .text(let text): !text.isEmpty
        case .list(let elements), .tuple(let elements): !elements.isEmpty
        case .mapping(let mapping): !mapping.entries.isEmpty
        case .namespace, .loop, .macro, .function: true
        }
    }

    var isUndefined: Bool { if case .undefined = self { true } else { false } }

    /// As a number of Python's, in which True is 1.
    var integer: Int? {
        switch self {
        case .integer(let value): value
        case .boolean(let value): value ? 1 : 0
        default: nil
        }
    }

    var number: Double? {
        if case .number(let value) = self { value } else { integer.map { Double($0) } }
    }

    /// The elements of a list or tuple.
    var elements: [Self]? {
        switch self {
        case .list(let elements), .tuple(let elements): elements
        default: nil
        }
    }
}

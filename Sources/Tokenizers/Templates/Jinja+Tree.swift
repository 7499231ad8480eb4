extension Jinja {
    /// A name by its number, under which values are found.
    struct Name: Sendable, Hashable {
        var number: Int
        var text: String
        /// What it means where no variable has it.
        var function: Function?

        init(number: Int, text: String) {
            self.number = number
            self.text = text
            function = Function(rawValue: text)
        }
    }

    /// What has a value.
    indirect enum Expression: Sendable {
        case none
        case boolean(Bool)
        case integer(Int)
        case number(Double)
        case text(Text)
        case list([Expression])
        case tuple([Expression])
        case mapping([(key: Expression, value: Expression)])
        case name(Name)
        /// `value.name`
        case attribute(Expression, Text)
        /// `value[index]`
        case item(Expression, Expression)
        /// `value[start:stop:step]`
        case slice(Expression, start: Expression?, stop: Expression?, step: Expression?)
        /// `name(...)`: a macro or a function of ours.
        case call(Name, Arguments)
        /// `value.name(...)`
        case method(Expression, Method, Arguments)
        /// `value | name(...)`; without a value, of a `{% filter %}` or block set.
        case filter(Expression, Filter, Arguments)
        /// `value is name ...`
        case test(Expression, Test, Arguments)
        case not(Expression)
        case and(Expression, Expression)
        case or(Expression, Expression)
        case negative(Expression)
        case arithmetic(Expression, Operator, Expression)
        /// `a ~ b ~ c`
        case joined([Expression])
        /// `a < b <= c`: each compared with the one before it.
        case comparison(Expression, [(Comparison, Expression)])
        /// `value if condition else other`
        case conditional(condition: Expression, then: Expression, otherwise: Expression?)
    }

    struct Arguments: Sendable {
        var positional: [Expression] = []
        var named: [(name: String, value: Expression)] = []
    }

    enum Operator: String, Sendable {
        case add = "+"
        case subtract = "-"
        case multiply = "*"
        case divide = "/"
        case floorDivide = "//"
        case modulo = "%"
        case power = "**"
    }

    enum Comparison: String, Sendable {
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case within = "in"
        case notWithin = "not in"
    }

    /// A statement and the line on which it begins.
    struct Node: Sendable {
        var line: Int
        var statement: Statement
    }

    indirect enum Statement: Sendable {
        case data(Text)
        case print(Expression)
        case set(Target, Expression)
        /// `{% set name %}...{% endset %}`
        case setBlock(Target, [Node])
        case condition([(Expression, [Node])], otherwise: [Node])
        case loop(LoopStatement)
        case macro(Macro)
        case generation([Node])
        /// Several in one place.
        case block([Node])
        case `break`
        case `continue`
    }

    /// What a value is given to.
    indirect enum Target: Sendable {
        case name(Name)
        case attribute(Name, Text)
        case tuple([Target])
    }

    struct LoopStatement: Sendable {
        var target: Target
        var items: Expression
        var condition: Expression?
        var body: [Node]
        var otherwise: [Node]
    }

    struct Macro: Sendable {
        var name: Name
        var parameters: [(name: Name, fallback: Expression?)]
        var body: [Node]
    }

    /// The functions of templates.
    enum Function: String, Sendable, CaseIterable {
        case namespace, range, dict
        case raise = "raise_exception"
        case now = "strftime_now"
    }
}

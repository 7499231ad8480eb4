import FlywheelCore
import Testing
import Tokenizers

@Suite struct TemplateLanguage {
    private func write(_ template: String, _ variables: String = "{}") throws -> String {
        try ChatTemplate.write(jinja: template, variables: variables)
    }

    /// The error of a template that is refused.
    private func refusal(_ template: String) throws -> InputError {
        try #require(throws: InputError.self) { _ = try write(template) }
    }

    @Test func `small templates read as Jinja2 writes them`() throws {
        let variables = try TemplateGoldens.text(named: "variables.json")
        let records = try TemplateGoldens.lines(named: "language.jsonl")
        #expect(records.count > 300)
        for record in records {
            let source = try #require(record["source"]?.string)
            let written = Result { try write(source, variables) }
            if let expected = record["rendered"]?.string {
                #expect(throws: Never.self, "\(source)") { try written.get() }
                #expect((try? written.get()) == expected, "\(source)")
            } else {
                #expect(throws: InputError.self, "\(source)") { try written.get() }
            }
        }
    }

    @Test(arguments: [
        ("a\n{{ x | uper }}", "filter", "uper", "did it mean upper", 2),
        ("{{ x is defned }}", "test", "defned", "did it mean defined", 1),
        ("\n\n{% inculde 'x' %}", "tag", "inculde", "", 3),
        ("{{ rang(3) }}", "function", "rang", "did it mean range", 1),
        ("{{ x.stripp() }}", "method", "stripp", "did it mean strip", 1),
        ("{{ x | map('uper') | list }}", "filter", "uper", "upper", 1),
        ("{{ x | select('od') | list }}", "test", "od", "odd", 1),
        ("{% for x in y %}{{ loop.indx }}{% endfor %}", "member of loop", "indx", "index", 1),
    ])
    func `what is unknown is refused by name and line when it is read`(
        _ template: String, _ what: String, _ name: String, _ hint: String, _ line: Int
    ) throws {
        let error = try #require(throws: InputError.self) {
            // Unreachable code is no excuse: the variables are not even there.
            _ = try ChatTemplate(
                jinja: "{% if false %}" + template + "{% endif %}", title: "t.jinja")
        }
        #expect(error.problem.contains("the \(what) \"\(name)\" is not known here"))
        #expect(error.problem.contains(hint))
        #expect(error.line == line)
        #expect(error.file == "t.jinja")
    }

    @Test(arguments: [
        "{{ 1 +", "{% if x %}", "{% for x in y %}{% endif %}", "{{ 'a }}", "{# a", "{% raw %}a",
        "{{ x y }}", "{% set = 1 %}", "{% break %}", "{{ [1, 2 }}", "{{ 1 | }}", "{{ }}", "{% %}",
        "{% for x in y recursive %}{% endfor %}", "{{ f(*x) }}",
        "{% macro m() %}{{ caller() }}{% endmacro %}",
        "{% macro m() %}{% generation %}{% endgeneration %}{% endmacro %}", "{{ x @ y }}",
        "{{ x() () }}",
        "{% include 'x' %}", "{{ '\\N{DASH}' }}",
    ])
    func `what is not Jinja is refused when it is read`(_ template: String) {
        #expect(throws: InputError.self) { try ChatTemplate(jinja: template) }
    }

    @Test(arguments: [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(t='xxxxxxxx') %}{% for a in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}",
        "{% set ns = namespace(t=[1]) %}{% for a in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}",
        "{% set ns = namespace(t=[1]) %}{% for a in range(9999) %}{% set ns.t = [ns.t] %}{% endfor %}",
        "{% set ns = namespace(t=1) %}{% set ns.t = ns %}",
        "{% set ns = namespace(t=1) %}{% set ns.t = {'a': [ns]} %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ range(1000000)|list|length }}",
        "{{ 'x' * 99999999999 }}", "{{ 9 ** 9 ** 9 }}", "{{ 9223372036854775807 + 1 }}",
        "{{ 'a'|indent(999999999) }}", "{{ ('x' * 100000).replace('', 'x' * 100000) }}",
        "{{ range(9000)|map('string')|join('x' * 100000) }}",
    ])
    func `a template cannot run away`(_ template: String) throws {
        let error = try refusal(template)
        #expect(error.line == 1)
    }

    @Test func `a template nests only so deep`() throws {
        let deep = String(repeating: "(", count: 5000) + "1" + String(repeating: ")", count: 5000)
        #expect(try refusal("{{ \(deep) }}").problem.contains("nests deeper"))
        let nots = String(repeating: "not ", count: 5000)
        #expect(try refusal("{{ \(nots) 1 }}").problem.contains("nests deeper"))
        let blocks = String(repeating: "{% if 1 %}", count: 5000)
        #expect(try refusal(blocks).problem.contains("nests deeper"))
    }

    @Test func `the time is the one that is told`() throws {
        for (seconds, written) in [
            (1_721_952_000, "26 Jul 2024 208"), (951_782_400, "29 Feb 2000 060"),
            (-86400, "31 Dec 1969 365"), (1_735_689_599, "31 Dec 2024 366"),
            (4_107_542_400, "01 Mar 2100 060"),
        ] as [(Int64, String)] {
            var template = try ChatTemplate(jinja: "{{ strftime_now('%d %b %Y %j') }}")
            template.clock = TemplateClock(seconds: seconds)
            #expect(try template.render([], opensAnswer: false).text == written)
        }
        #expect(try refusal("{{ strftime_now('%Q') }}").problem == "strftime_now does not know %Q")
    }
}

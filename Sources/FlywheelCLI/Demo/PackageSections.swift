import Datasets
import FlywheelCore
import Foundation
import Tokenizers

/// The demo's task: from a package's name and its one-line description, name its archive section.
///
/// Every Debian machine has tens of thousands of packages described and labelled by their
/// maintainers. Rows are split by *source* package, so that no sibling of a golden row is trained on.
struct PackageSections {
    struct Package: Equatable {
        var name: String
        var description: String
        var section: String
        /// The source package it is built from.
        var source: String
    }

    /// Sections with fewer packages are left out.
    static let packagesMin = 200
    /// Of all source packages, the share (in thousandths) whose rows are golden.
    static let goldenShare = 33

    /// Whose rows are trained on, in order of name.
    var training: [Package] = []
    /// Whose rows examine, in order of name.
    var golden: [Package] = []
    var sections: Set<String> = []

    /// Splits what `apt-cache dumpavail` printed.
    ///
    /// Whether a row is golden depends on the name of its source package alone, so the split is the
    /// same on every machine and in every year.
    init(dumpavail text: String) {
        let packages = Self.packages(text)
        var counts: [String: Int] = [:]
        for package in packages { counts[package.section, default: 0] += 1 }
        sections = Set(counts.filter { $0.value >= Self.packagesMin }.keys)
        for package in packages where sections.contains(package.section) {
            if Self.isGolden(package.source) {
                golden.append(package)
            } else {
                training.append(package)
            }
        }
    }

    /// The packages of this machine's own lists.
    static func ofThisMachine() throws -> Self {
        guard let program = Programs.path(of: "apt-cache"),
            let text = Programs.output(of: program, ["dumpavail"])
        else {
            throw ServiceUnavailable(
                "`apt-cache` is not here, and the demo takes its text from it.",
                remedy: "Run it on Debian or Ubuntu.")
        }
        let set = Self(dumpavail: text)
        let described = set.training.count + set.golden.count
        guard described >= 10_000 else {
            throw ServiceUnavailable(
                "apt knows only \(described) described packages, too few to learn from.",
                remedy: "Run `apt-get update` and start the demo again.")
        }
        return set
    }

    static func isGolden(_ source: String) -> Bool {
        let number = Digest(of: source).hex.prefix(8).utf8.reduce(0) { value, digit in
            value << 4 | Int(digit < 58 ? digit - 48 : digit - 87)
        }
        return number % 1_000 < goldenShare
    }

    static func packages(_ text: String) -> [Package] {
        var newest: [String: Package] = [:]
        for stanza in text.split(separator: "\n\n") {
            guard let package = Package(stanza: stanza) else { continue }
            // A package may stand there in several versions; they are printed oldest last.
            if newest[package.name] == nil { newest[package.name] = package }
        }
        return newest.values.sorted { $0.name < $1.name }
    }
}

extension PackageSections.Package {
    /// Reads one paragraph of a Packages file; nil where a field is missing.
    init?(stanza: Substring) {
        var fields: [Substring: Substring] = [:]
        for line in stanza.split(separator: "\n") where line.first != " " && line.first != "\t" {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...].drop { $0 == " " }
        }
        guard let name = fields["Package"],
            let section = fields["Section"]?.split(separator: "/").last,
            let description = fields["Description"] ?? fields["Description-en"],
            !description.isEmpty
        else { return nil }
        self.name = String(name)
        self.description = String(description)
        self.section = String(section)
        // `Source: name (version)`; a package of its own source names none.
        source = (fields["Source"]?.split(separator: " ").first).map(String.init) ?? String(name)
    }

    var question: String { "\(name): \(description)" }

    /// The row of a dataset: the question, and the maintainer's own answer.
    var row: JSONValue {
        [
            "id": .string(name),
            "messages": [
                ["role": "user", "content": .string(question)],
                ["role": "assistant", "content": .string(section)],
            ],
        ]
    }
}

extension Sequence<PackageSections.Package> {
    /// The packages as a JSONL file.
    var jsonl: String { map { $0.row.canonical + "\n" }.joined() }
}

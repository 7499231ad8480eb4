import Datasets
import FlywheelCore
import Foundation
import Tokenizers

/// The demo's task: from a package's name and its one-line description, name its archive section.
///
/// Every Debian machine has tens of thousands of packages described and labelled by their
/// maintainers. Rows are split by *source* package, so that no sibling of a golden row is trained on,
/// and none of what the generalist learned from is asked of it.
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
    /// Of the others, the share (in thousandths) whose packages users ask about.
    static let askedShare = 333
    /// What the generalist's lessons do not know of, as if maintainers had come by it since: a model of
    /// everybody's is older than the newest of what a product is asked, and its users know better.
    static let newSection = "ruby"

    /// What the generalist knows the sections of, in order of name.
    var schooling: [Package] = []
    /// What it is not taught, being of the new section, in order of name.
    var untaught: [Package] = []
    /// What users ask about, in order of name.
    var asked: [Package] = []
    /// Whose rows examine, in order of name.
    var golden: [Package] = []
    var sections: Set<String> = []

    /// Splits what `apt-cache dumpavail` printed.
    ///
    /// Where a row goes depends on the name of its source package alone, so the split is the same on
    /// every machine and in every year.
    init(dumpavail text: String) {
        let packages = Self.packages(text)
        var counts: [String: Int] = [:]
        for package in packages { counts[package.section, default: 0] += 1 }
        sections = Set(counts.filter { $0.value >= Self.packagesMin }.keys)
        for package in packages where sections.contains(package.section) {
            if Self.thousandth(of: package.source) < Self.goldenShare {
                golden.append(package)
            } else if Self.thousandth(of: "asked " + package.source) < Self.askedShare {
                asked.append(package)
            } else if package.section == Self.newSection {
                untaught.append(package)
            } else {
                schooling.append(package)
            }
        }
    }

    /// All whose description may be read: what is not golden.
    var described: [Package] { schooling + untaught + asked }

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
        let described = set.described.count + set.golden.count
        guard described >= 10_000 else {
            throw ServiceUnavailable(
                "apt knows only \(described) described packages, too few to learn from.",
                remedy: "Run `apt-get update` and start the demo again.")
        }
        return set
    }

    /// A number from 0 to 999 that `text` has everywhere.
    private static func thousandth(of text: String) -> Int {
        Int((UInt32(Digest(of: text).hex.prefix(8), radix: 16) ?? 0) % 1_000)
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

    /// The row of a dataset to learn language from: the question alone.
    var text: JSONValue { ["id": .string(name), "text": .string(question)] }

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

extension Sequence<JSONValue> {
    /// The values as a JSONL file.
    var jsonl: String { map { $0.canonical + "\n" }.joined() }
}

import Foundation
import Glibc

/// A process as `/proc` shows it.
struct ProcessEntry: Sendable, CustomStringConvertible {
    let id: pid_t
    let parent: pid_t
    let name: String
    /// `R`, `S`, `T` and so on.
    let state: Character

    var description: String { "\(name) (\(id), \(state))" }

    /// Nil where the process has ended; one that nobody has reaped yet counts as ended.
    init?(_ id: pid_t) {
        guard let text = Self.text("/proc/\(id)/stat"), let open = text.firstIndex(of: "("),
            let close = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: close)...].split(separator: " ")
        guard fields.count > 2, let state = fields[0].first, let parent = pid_t(fields[1]),
            state != "Z", state != "X"
        else { return nil }
        self.id = id
        self.parent = parent
        self.state = state
        name = String(text[text.index(after: open)..<close])
    }

    static func all() -> [ProcessEntry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.compactMap { ProcessEntry($0) }
    }

    /// `id` and all that it started, directly or not, whatever process groups they are in.
    static func tree(of id: pid_t) -> [ProcessEntry] {
        let all = all()
        var tree = all.filter { $0.id == id }
        var next = 0
        while next < tree.count {
            let parent = tree[next].id
            tree += all.filter { $0.parent == parent }
            next += 1
        }
        return tree
    }

    /// Those whose arguments or variables name `path`: all that still works on a home.
    static func touching(_ path: String) -> [ProcessEntry] {
        all().filter { entry in
            guard entry.id != getpid() else { return false }
            return ["cmdline", "environ"].contains { file in
                FileManager.default.contents(atPath: "/proc/\(entry.id)/\(file)")?
                    .firstRange(of: Data(path.utf8)) != nil
            }
        }
    }

    private static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}

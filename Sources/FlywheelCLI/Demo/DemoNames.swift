/// What a run of the demo calls its things; a second run in the same home has names of its own.
struct DemoNames {
    /// The task whose users are heard.
    let task: String
    /// The same task, of whose users nobody hears.
    var unheard: String { task + "-unheard" }
    var tasks: [String] { [task, unheard] }
    /// Descriptions, to learn language from.
    var texts: String { task + "-texts" }
    /// What the generalist was taught.
    var lessons: String { task + "-lessons" }
    /// A model that has read, and knows no section.
    var reader: String { task + "-reader" }
    var generalist: String { task + "-generalist" }
    /// A small model that has read: where students begin.
    var seed: String { task + "-seed" }

    /// Each task has a golden set of its own, with the same rows: what passes there is its route's.
    static func golden(of task: String) -> String { task + "-golden" }
    static func student(of task: String) -> String { task + "-student" }

    /// - Parameter run: from 1.
    init(run: Int) { task = "package-section" + (run == 1 ? "" : "-\(run)") }
}

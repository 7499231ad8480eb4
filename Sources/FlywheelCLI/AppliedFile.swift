import ArgumentParser
import FlywheelCore
import Foundation

/// A YAML file that a command reads, as a person names it: `-` is standard input.
struct AppliedFile {
    static let help: ArgumentHelp = "A YAML file; - reads standard input."

    let path: String

    init(_ path: String) { self.path = path }

    /// What the file is called in sentences.
    var title: String { path == "-" ? "standard input" : path }

    /// Throws `InputError` where it cannot be read, or is no text.
    func text() throws(InputError) -> String {
        let data =
            path == "-"
            ? (try? FileHandle.standardInput.readToEnd()) ?? Data()
            : FileManager.default.contents(atPath: path)
        guard let data else {
            throw InputError(
                file: path, "the file cannot be read",
                remedy: "Check the path and its permissions.")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw InputError(file: title, "not UTF-8", remedy: "Write the file in UTF-8.")
        }
        return text
    }

    /// Lets `body` apply the text under the file's name; a refusal says at its end that nothing was.
    func apply<Output>(
        _ body: (_ text: String, _ file: String) async throws -> Output
    ) async throws -> Output {
        do {
            return try await body(try text(), title)
        } catch var error as InputError {
            error.remedy += (error.remedy.isEmpty ? "" : " ") + "Nothing was applied."
            throw error
        }
    }
}

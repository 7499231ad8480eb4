public import FlywheelCore
import Graders
import Jobs

/// A task together with where it was written.
public struct TaskDocument: Sendable {
    public let task: TaskSpecification
    private let field: SpecificationField

    /// The tasks of a YAML file, one a document; throws for the first mistake, with its place.
    public static func all(yaml text: String, file: String?) throws(InputError) -> [Self] {
        var documents: [Self] = []
        for field in try SpecificationField.documents(yaml: text, file: file) {
            let task = try TaskSpecification(field)
            guard !documents.contains(where: { $0.task.name == task.name }) else {
                throw field.error("a second task called `\(task.name)`", remedy: "Keep one.")
            }
            try checkSchema(of: task, field)
            documents.append(Self(task: task, field: field))
        }
        guard !documents.isEmpty else { throw InputError(file: file, "it holds no task") }
        return documents
    }

    /// Refuses what is no JSON Schema, whatever else it may hold.
    private static func checkSchema(
        of task: TaskSpecification, _ field: SpecificationField
    ) throws(InputError) {
        guard let schema = task.output?.schema else { return }
        do {
            try JSONSchema.check(JSONValue(parsing: Array(schema.utf8)))
        } catch {
            let path = ["output.schema", error.field ?? ""].filter { !$0.isEmpty }
            throw field.error(
                at: path.joined(separator: "."), error.problem, remedy: error.remedy)
        }
    }

    /// An error about the value at `field`, a path as `student.base`, where it was written.
    public func error(at field: String, _ problem: String, remedy: String = "") -> InputError {
        self.field.error(at: field, problem, remedy: remedy)
    }
}

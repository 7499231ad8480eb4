import Captures
import FlywheelCore
import Jobs
import Stores

extension SubmissionResolver {
    /// Makes sure that the gateway's book has the teacher, and keeps what its vendor allows now.
    func resolveTeacher(
        of distill: DistillSpecification, _ document: SpecificationDocument,
        into resolved: inout Resolved
    ) async throws {
        guard case .upstream(let name, let model, _) = distill.teacher else { return }
        guard
            let upstream = try await upstream(
                of: UpstreamModel(upstream: name, model: model), at: "teacher", document)
        else { return }
        var distill = distill
        distill.teacher = .upstream(name, model: model, terms: upstream["terms"]?.string)
        resolved.specification = .distill(distill)
    }

    /// The upstream of `model`, which the document names at `field`, as the gateway's book has it.
    func upstream(
        of model: UpstreamModel, at field: String, _ document: SpecificationDocument
    ) async throws -> JSONValue? {
        try await database.upstream(of: model, at: field) { field, problem, remedy in
            document.error(at: field, problem, remedy: remedy)
        }
    }
}

extension Database {
    /// The upstream of `model` as the gateway's book has it; nil where the book says nothing of it.
    ///
    /// With no book the gateway asks the one upstream of its environment, of which nothing is known here.
    ///
    /// - Parameter mistake: makes the error of a field, a problem and a remedy.
    func upstream(
        of model: UpstreamModel, at field: String,
        _ mistake: (String, String, String) -> InputError
    ) async throws -> JSONValue? {
        let name = model.upstream
        guard name != Destination.ownName else { return nil }
        let upstreams = try await book.upstreams()
        guard !upstreams.isEmpty else { return nil }
        guard let upstream = upstreams.first(where: { $0["name"]?.string == name }) else {
            let names = upstreams.compactMap { $0["name"]?.string }
            throw mistake(
                "\(field).upstream", "there is no upstream `\(name)`",
                nearest(to: name, among: names).map { "Did you mean `\($0)`?" }
                    ?? "There are \(names.joined(separator: ", ")).")
        }
        let models = (upstream["models"]?.array ?? []).compactMap(\.string)
        guard models.isEmpty || models.contains(model.model) else {
            throw mistake(
                "\(field).model", "upstream `\(name)` lists no model `\(model.model)`",
                nearest(to: model.model, among: models).map { "Did you mean `\($0)`?" }
                    ?? "It lists \(models.joined(separator: ", ")).")
        }
        return upstream
    }
}

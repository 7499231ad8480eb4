import Captures
import FlywheelCore
import Jobs
import Stores

extension SubmissionResolver {
    /// Makes sure that the gateway's book has the teacher, and keeps what its vendor allows now.
    ///
    /// With no book the gateway asks the one upstream of its environment, of which nothing is known here.
    func resolveTeacher(
        of distill: DistillSpecification, _ document: SpecificationDocument,
        into resolved: inout Resolved
    ) async throws {
        guard case .upstream(let name, let model, _) = distill.teacher,
            name != Destination.ownName
        else { return }
        let upstreams = try await database.book.upstreams()
        guard !upstreams.isEmpty else { return }
        guard let upstream = upstreams.first(where: { $0["name"]?.string == name }) else {
            let names = upstreams.compactMap { $0["name"]?.string }
            throw document.error(
                at: "teacher.upstream", "there is no upstream `\(name)`",
                remedy: nearest(to: name, among: names).map { "Did you mean `\($0)`?" }
                    ?? "There are \(names.joined(separator: ", ")).")
        }
        let models = (upstream["models"]?.array ?? []).compactMap(\.string)
        guard models.isEmpty || models.contains(model) else {
            throw document.error(
                at: "teacher.model", "upstream `\(name)` lists no model `\(model)`",
                remedy: nearest(to: model, among: models).map { "Did you mean `\($0)`?" }
                    ?? "It lists \(models.joined(separator: ", ")).")
        }
        var distill = distill
        distill.teacher = .upstream(name, model: model, terms: upstream["terms"]?.string)
        resolved.specification = .distill(distill)
    }
}

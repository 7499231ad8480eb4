import Curation
import FlywheelCore
import Jobs
import Tasks
import Stores

/// What a job is looked for to have made.
private enum Wanted {
    case model(named: String)
    case dataset(named: String)

    /// What of that which `job` makes it is: a split, empty for all else; nil for a job that makes no such thing.
    func split(of job: JobSpecification) -> String? {
        switch (self, job) {
        case (.model(let name), .train(let train)): train.envelope.name == name ? "" : nil
        case (.dataset(let name), .distill(let distill)): distill.envelope.name == name ? "" : nil
        case (.dataset(let name), .build(let build)): build.split(called: name)
        default: nil
        }
    }
}

extension SubmissionResolver {
    /// Looks for a job that this one waits for and that makes the model `reference` names.
    func findOutput(
        _ reference: ModelReference, as role: InputRole, into resolved: inout Resolved,
        before: [Resolved]
    ) async throws -> Bool {
        guard let name = reference.name else { return false }
        return try await find(.model(named: name), as: role, for: &resolved, before: before)
    }

    /// Looks for a job that this one waits for and that makes the dataset `reference` names.
    ///
    /// `name` and `name@latest` are what it will have made by then; a `build` job makes `name-validation`
    /// too.
    func findDataset(
        _ reference: DatasetReference, as role: InputRole, into resolved: inout Resolved,
        before: [Resolved]
    ) async throws -> Bool {
        guard case .latest(let name) = reference, role != .golden else { return false }
        return try await find(.dataset(named: name), as: role, for: &resolved, before: before)
    }

    // Inlined into a coroutine that throws, it crashes Swift 6.3.1 (`emitSetAndGetSwiftErrorValueAround`).
    @inline(never)
    private func find(
        _ wanted: Wanted, as role: InputRole, for resolved: inout Resolved, before: [Resolved]
    ) async throws -> Bool {
        for index in resolved.parents.reversed() {
            guard let split = wanted.split(of: before[index].specification) else { continue }
            resolved.outputs[role] = Output(job: index, split: split)
            return true
        }
        for id in resolved.after.reversed() {
            guard let spec = try await database.views.job(id)?["spec"],
                let specification = try? JobSpecification(json: spec),
                let split = wanted.split(of: specification)
            else { continue }
            resolved.specification.envelope.resolved[role] = .output(of: id, split: split)
            return true
        }
        return false
    }

    /// Takes from the task's file what a `build` job does not say of sources, and makes sure that what it
    /// says of signals can be read.
    // As `find`.
    @inline(never)
    func resolveSources(
        of build: BuildSpecification, _ document: SpecificationDocument,
        into resolved: inout Resolved
    ) async throws {
        for signal in build.signals {
            do { _ = try SignalFilter(signal) } catch {
                throw document.error(at: "signals", error.problem, remedy: error.remedy)
            }
        }
        let sources = try await database.tasks.task(build.task)?.specification.sources
        var build = build
        build.trust = build.trust ?? sources?.trustMin
        build.sourceShare = build.sourceShare ?? sources?.shareMax
        resolved.specification = .build(build)
    }
}

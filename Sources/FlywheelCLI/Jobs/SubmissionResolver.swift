import Artifacts
import Datasets
import Evaluation
import FlywheelCore
import Foundation
import Jobs
import Stores

/// Turns what a specification names into what it means now: rows and models by digest.
///
/// Files of this machine become artifacts, so that a job means the same when they change.
struct SubmissionResolver {
    let database: Database
    let artifacts: ArtifactLibrary

    /// A specification whose inputs are pinned, except for what jobs before it will make.
    struct Resolved {
        var specification: JobSpecification
        /// Roles whose model or dataset a job of the same file makes.
        var outputs: [InputRole: Output] = [:]
        /// Indices of jobs of the same file that must succeed first.
        var parents: [Int] = []
        /// Jobs that exist already and must succeed first.
        var after: [JobID] = []
    }

    /// What the job at the index `job` of the same file makes.
    struct Output {
        var job: Int
        /// Of a dataset; empty for what is learned, and for models.
        var split = ""
    }

    /// Resolves all `documents` before any is submitted, so that a mistake in the last one leaves
    /// nothing half done.
    func resolve(_ documents: [SpecificationDocument]) async throws -> [Resolved] {
        var all: [Resolved] = []
        for document in documents { all.append(try await resolve(document, before: all)) }
        return all
    }

    private func resolve(
        _ document: SpecificationDocument, before: [Resolved]
    ) async throws -> Resolved {
        guard document.specification.envelope.resolved.isEmpty else {
            throw document.error(
                at: "resolved", "what names resolve to is found out now, not given",
                remedy: "Take it out.")
        }
        var resolved = Resolved(specification: document.specification)
        try await resolveParents(of: document, into: &resolved, before: before)
        for (role, reference) in document.specification.datasets {
            if try await findDataset(reference, as: role, into: &resolved, before: before) {
                continue
            }
            try await resolve(reference, as: role, of: document, into: &resolved)
            try await checkHoldsNothingGolden(role, of: document, in: resolved)
        }
        for (role, reference) in document.specification.models {
            try await resolve(reference, as: role, of: document, into: &resolved, before: before)
        }
        try await resolveTheRest(of: document, into: &resolved)
        return resolved
    }

    /// What only one kind of job has.
    // Inlined into a coroutine that throws, it crashes Swift 6.3.1 (`emitSetAndGetSwiftErrorValueAround`).
    @inline(never)
    private func resolveTheRest(
        of document: SpecificationDocument, into resolved: inout Resolved
    ) async throws {
        switch resolved.specification {
        case .train: break
        case .build(let build): try await resolveSources(of: build, document, into: &resolved)
        case .distill(let distill):
            try await resolveTeacher(of: distill, document, into: &resolved)
        case .evaluate(let exam):
            try await resolveIncumbent(of: exam, document, into: &resolved)
            if let rented = exam.rented {
                _ = try await upstream(of: rented, at: "incumbent", document)
            }
            try checkModelsDiffer(document, resolved)
            try await check(document, resolved) { _ = try Exam(exam, rows: $0) }
        case .judge(let measured):
            try await check(document, resolved) { _ = try JudgeTrial($0, judge: measured.judge) }
        }
    }

    private func resolveParents(
        of document: SpecificationDocument, into resolved: inout Resolved, before: [Resolved]
    ) async throws {
        let envelope = document.specification.envelope
        for reference in envelope.after {
            switch reference {
            case .id(let id): resolved.after.append(id)
            case .name(let name):
                if let index = before.lastIndex(where: {
                    $0.specification.envelope.name == name
                        && $0.specification.envelope.tenant == envelope.tenant
                }) {
                    resolved.parents.append(index)
                } else if let id = try await database.views.newestJob(
                    named: name, tenant: envelope.tenant)
                {
                    resolved.after.append(id)
                } else {
                    throw document.error(
                        at: "after", "there is no job called `\(name)`",
                        remedy: "Put it before this one in the file, or submit it first.")
                }
            }
        }
    }

    // MARK: Datasets

    private func resolve(
        _ reference: DatasetReference, as role: InputRole, of document: SpecificationDocument,
        into resolved: inout Resolved
    ) async throws {
        let field = role == .validation ? "validation.data" : role.rawValue
        if case .file(let path) = reference {
            guard FileManager.default.fileExists(atPath: path) else {
                throw document.error(
                    at: field, "there is no file `\(path)`",
                    remedy: "Paths are read from the current folder.")
            }
            let rows = try DatasetFile.rows(at: path, ending: .any)
            try check(rows[0].content.shape, of: path, as: role, at: field, in: document)
            // As it is imported: the same rows have one digest, so golden ones are known by it.
            let digest = try artifacts.store.add(DatasetFile.jsonl(rows)).digest
            try await artifacts.keep([digest])
            resolved.specification.envelope.resolved[role] = .dataset(digest, rows: rows.count)
            return
        }
        let record: DatasetRecord
        do { record = try await database.dataset(reference.description) } catch let error
            as InputError
        {
            throw document.error(at: field, error.problem, remedy: error.remedy)
        }
        if record.isGolden, role != .golden {
            throw document.error(
                at: field, "`\(record.name)` is a golden set",
                remedy: "What a model is examined on is never trained on: name other data.")
        }
        try check(
            DatasetRow.Shape(rawValue: record.shape), of: record.title, as: role, at: field,
            in: document)
        resolved.specification.datasets[role] = .version(name: record.name, record.digest)
        resolved.specification.envelope.resolved[role] = .dataset(
            record.digest, rows: record.rows)
    }

    /// Makes sure that no row to learn from, or to choose by, is a copy of a golden one.
    private func checkHoldsNothingGolden(
        _ role: InputRole, of document: SpecificationDocument, in resolved: Resolved
    ) async throws {
        guard role != .golden,
            case .dataset(let digest, _)? = resolved.specification.envelope.resolved[role],
            let copied = try await GoldenGuard(database).copied(in: digest)
        else { return }
        throw document.error(
            at: role.rawValue,
            "\(copied.rows) of its rows are copies of rows of the golden set \(copied.golden.title)",
            remedy:
                "What a model is examined on is never trained on. `flywheel data compare` shows "
                + "them; `flywheel data build` and `flywheel data import --without-golden` leave them "
                + "out.")
    }

    /// Makes sure that the method can learn from rows of `shape`.
    private func check(
        _ shape: DatasetRow.Shape?, of title: String, as role: InputRole, at field: String,
        in document: SpecificationDocument
    ) throws {
        // Whatever a row answers or does not, a teacher can be asked its question.
        guard role != .golden, role != .prompts, let shape else { return }
        var method = TrainSpecification.Method.sft
        if case .train(let train) = document.specification { method = train.method }
        let learnable = method.shapes
        guard !learnable.contains(shape) else { return }
        throw document.error(
            at: field,
            "`\(title)` has rows of shape \(shape.rawValue), from which method \(method.rawValue) "
                + "cannot learn",
            remedy: "It learns from rows of shape "
                + learnable.map(\.rawValue).joined(separator: ", ") + ".")
    }

    /// Sets the exam as ranks will, or the trial of a judge, so that what they would refuse is refused
    /// before anything is trained for it.
    private func check(
        _ document: SpecificationDocument, _ resolved: Resolved,
        _ set: ([DatasetRow]) throws -> Void
    ) async throws {
        guard case .dataset(let digest, _)? = resolved.specification.envelope.resolved[.golden]
        else { return }
        do {
            try await artifacts.bring([digest])
            try set(try DatasetFile.rows(at: artifacts.store.path(of: digest), ending: .any))
        } catch let error as InputError {
            let row = error.field.map { "\($0): " } ?? ""
            throw document.error(at: "golden", row + error.problem, remedy: error.remedy)
        }
    }

    // MARK: Models

    private func resolve(
        _ reference: ModelReference, as role: InputRole, of document: SpecificationDocument,
        into resolved: inout Resolved, before: [Resolved]
    ) async throws {
        let field =
            switch role {
            case .base: "model.base"
            case .tokenizer: "model.new.tokenizer"
            case .teacher: "teacher.model"
            case .other: "models"
            default: role.rawValue
            }
        if case .folder(let path) = reference {
            guard [.base, .tokenizer, .teacher].contains(role) else {
                throw document.error(
                    at: field, "an examination is of models of the registry, not of a folder",
                    remedy: "`flywheel models import \(path) --name NAME` adds it.")
            }
            do {
                let files = try ModelFolder(path).add(
                    to: artifacts.store, isModel: role != .tokenizer)
                try await artifacts.keep(files.values)
                resolved.specification.envelope.resolved[role] = .folder(files: files)
            } catch let error as InputError {
                throw document.error(at: field, error.description, remedy: "")
            }
            return
        }
        // A bare name that a job before this one makes is what that job makes.
        if case .current = reference,
            try await findOutput(reference, as: role, into: &resolved, before: before)
        {
            return
        }
        if let record = try await database.registry.model(named: reference.description) {
            resolved.specification.models[role] = .version(
                name: record.name, record.version)
            resolved.specification.envelope.resolved[role] = .folder(files: record.files)
            return
        }
        if try await findOutput(reference, as: role, into: &resolved, before: before) { return }
        do { _ = try await database.model(reference.description) } catch let error as InputError {
            throw document.error(
                at: field, error.problem,
                remedy: error.remedy + " A model that a job makes needs that job in `after`.")
        }
    }

    /// A gate without a named incumbent compares with what a promotion would replace: the promoted
    /// version of the candidate's name, if there is one and it is not the candidate itself.
    private func resolveIncumbent(
        of exam: EvaluateSpecification, _ document: SpecificationDocument,
        into resolved: inout Resolved
    ) async throws {
        guard exam.gate != nil, exam.incumbent == nil, let name = exam.model.name,
            let record = try await database.registry.model(named: name),
            record.stage == "promoted",
            exam.model != .version(name: record.name, record.version)
        else { return }
        var exam = exam
        exam.incumbent = .registry(.version(name: record.name, record.version))
        resolved.specification = .evaluate(exam)
        resolved.specification.envelope.resolved[.incumbent] = .folder(files: record.files)
    }

    /// Verdicts are kept by model and row, so no model sits an exam twice.
    private func checkModelsDiffer(
        _ document: SpecificationDocument, _ resolved: Resolved
    ) throws(InputError) {
        var seen: [String: InputRole] = [:]
        for role in InputRole.allCases {
            guard let reference = resolved.specification.models[role] else { continue }
            // What a job will make is known by its name alone.
            let isOutput = resolved.outputs[role] != nil
            guard seen.updateValue(role, forKey: "\(reference)\(isOutput)") == nil else {
                throw document.error(
                    at: role == .incumbent ? "incumbent" : "models",
                    "`\(reference)` sits this exam already",
                    remedy: "Name each model once; a gate's incumbent is, unless you name one, the "
                        + "promoted version of the candidate's name.")
            }
        }
    }
}

extension TrainSpecification.Method {
    /// What rows look like that it learns from.
    fileprivate var shapes: [DatasetRow.Shape] {
        switch self {
        case .sft, .distill: [.chat, .completion, .text, .tokens]
        case .dpo, .orpo, .simpo: [.preference]
        case .kto: [.labelled]
        }
    }
}

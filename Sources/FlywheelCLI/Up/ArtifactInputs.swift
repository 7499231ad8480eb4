import Artifacts
import Datasets
import Distillation
import FlywheelCore
import Foundation
import Jobs
import Models
import Stores
import Tensors
import Workers

/// Gives ranks their inputs from the artifacts, and takes their results into them.
struct ArtifactInputs: Workers.InputResolver {
    /// The folder, which may be a cache.
    let artifacts: ArtifactStore
    /// The artifacts as the holder of a fence may reach them.
    let library: @Sendable (Fence) throws -> ArtifactLibrary
    let book: ArtifactBook

    func inputs(of assignment: Assignment, in folder: String) async throws -> RankInputs {
        let library = try library(assignment.lease.fence)
        let specification = try JobSpecification(json: assignment.specification)
        var inputs = RankInputs(paths: [:])
        for (role, input) in specification.envelope.resolved {
            let place = "\(folder)/\(role.rawValue)"
            switch input {
            case .dataset(let digest, _):
                try await library.bring([digest])
                inputs.paths[role.rawValue] = try rows(digest, at: place, in: folder)
            case .output(let job, let split) where role.isRows:
                guard let digest = assignment.dataset(of: job, split: split) else {
                    throw split.isEmpty
                        ? Self.missing(job, "dataset", role) : Self.empty(job, split, role)
                }
                try await library.bring([digest])
                inputs.paths[role.rawValue] = try rows(digest, at: place, in: folder)
            case .folder(_, let files):
                try await library.bring(files.values)
                try artifacts.materialize(files, at: place)
                inputs.paths[role.rawValue] = place
                inputs.titles[role.rawValue] = specification.models[role]?.description
            case .output(let job, _):
                guard let output = assignment.outputs["\(job)"] else {
                    throw Self.missing(job, "model", role)
                }
                try await library.bring(output.files.values)
                try artifacts.materialize(output.files, at: place)
                inputs.paths[role.rawValue] = place
                inputs.titles[role.rawValue] = output.model
            }
        }
        return inputs
    }

    func rows(
        _ digest: Digest, called name: String, in folder: String, for lease: Lease
    ) async throws -> String? {
        do {
            try await library(lease.fence).bring([digest])
        } catch ArtifactError.missing {
            return nil
        }
        guard artifacts.contains(digest) else { return nil }
        return try rows(digest, at: "\(folder)/\(name)", in: folder)
    }

    private func rows(_ digest: Digest, at place: String, in folder: String) throws -> String {
        try artifacts.materialize([place.lastName + ".jsonl": digest], at: folder)
        return place + ".jsonl"
    }

    private static func empty(_ job: JobID, _ split: String, _ role: InputRole) -> InputError {
        InputError(
            field: role.rawValue, "job \(job) built no row for its split `\(split)`",
            remedy: "Give that split a larger share, or hold out a share of the data itself.")
    }

    private static func missing(_ job: JobID, _ what: String, _ role: InputRole) -> InputError {
        InputError(
            field: role.rawValue, "job \(job), which should have made it, made no \(what)",
            remedy: "Look at that job, and submit this one again after it.")
    }
}

extension Assignment {
    /// The rows in the role `role`, whether they were there before or an earlier job made them.
    fileprivate func dataset(_ role: InputRole, in envelope: JobEnvelope) -> Digest? {
        switch envelope.resolved[role] {
        case .dataset(let digest, _): digest
        case .output(let job, let split): dataset(of: job, split: split)
        case .folder, nil: nil
        }
    }
}

extension ArtifactInputs: ResultTaker {
    func outcome(
        of assignment: Assignment, result: JSONValue, attemptFolder: String
    ) async throws -> Outcome {
        switch try JobSpecification(json: assignment.specification) {
        case .distill(let distill):
            let prompts = assignment.dataset(.prompts, in: distill.envelope)
            return try await labels(
                distill, of: prompts, result, attemptFolder, assignment.lease)
        case .train(let train):
            let folder = try ModelFolder("\(attemptFolder)/\(result["folder"]?.string ?? "model")")
            let files = try folder.add(to: artifacts, isModel: true)
            try await keep(files.values, for: assignment.lease)
            guard let digest = files["model.safetensors"] else {
                throw InputError(file: folder.path, "the ranks left no model.safetensors")
            }
            var base: String?
            if case .base(let reference) = train.model { base = reference.description }
            var adapter: String?
            if case .lowRank(let lowRank) = train.adapter { adapter = lowRank.title }
            return Outcome(
                result: result,
                model: .init(
                    base: base, adapter: adapter,
                    datasetDigest: assignment.dataset(.data, in: train.envelope),
                    digest: digest, files: files,
                    parameters: try folder.parameters()))
        case .evaluate(let evaluate):
            var dataset: Digest?
            if case .dataset(let digest, _) = evaluate.envelope.resolved[.golden] {
                dataset = digest
            }
            // What has rows of its own stays out; the result says how it went.
            var summary = result.object ?? [:]
            for key in ["verdicts", "questions", "comparisons", "conditions"] { summary[key] = nil }
            summary["scorecards"] = .array(
                (result["scorecards"]?.array ?? []).filter { $0["slice"] == "all" })
            return Outcome(
                result: .object(summary),
                evaluation: result.merging([
                    "dataset_digest": dataset.map { .string($0.hex) } ?? .null
                ]))
        case .judge: return Outcome(result: result)
        case .build: return try await pieces(result, attemptFolder, assignment.lease)
        }
    }
}

extension ArtifactInputs {
    /// The rows that a teacher's answers became, as a dataset.
    private func labels(
        _ distill: DistillSpecification, of prompts: Digest?, _ result: JSONValue,
        _ attemptFolder: String, _ lease: Lease
    ) async throws -> Outcome {
        let path = "\(attemptFolder)/\(LabelSheet.fileName)"
        let rows = try DatasetFile.rows(at: path)
        let (digest, bytes) = try artifacts.add(file: path)
        try await keep([digest], for: lease)
        guard let prompts else {
            throw InputError(field: "prompts", "the specification does not say which rows they are")
        }
        var terms: String?
        if case .upstream(_, _, let said) = distill.teacher { terms = said }
        let card = try JSONValue(encoding: DatasetCard(of: rows)).merging([
            "teacher": .string(distill.teacher.description),
            "terms": terms.map { .string($0) } ?? .null, "prompts": .string(prompts.hex),
            "labelling": result,
        ])
        return Outcome(
            result: result.merging(["digest": .string(digest.hex)]),
            dataset: .init(
                digest: digest, shape: rows[0].content.shape.rawValue, rows: rows.count,
                bytes: Int64(bytes), card: card, promptsDigest: prompts,
                teacher: distill.teacher.description, terms: terms))
    }
}

extension ArtifactInputs {
    /// The rows that captures became, as datasets.
    private func pieces(
        _ result: JSONValue, _ attemptFolder: String, _ lease: Lease
    ) async throws -> Outcome {
        let pieces = try BuiltPieces.read(in: attemptFolder).map { piece in
            let (digest, bytes) = try artifacts.add(file: piece.path)
            return Outcome.Piece(
                split: piece.split, digest: digest, bytes: Int64(bytes), facts: piece.facts)
        }
        try await keep(pieces.map(\.digest), for: lease)
        return Outcome(result: result, pieces: pieces)
    }
}

extension ArtifactInputs: CheckpointCarrier {
    func keep(_ checkpoint: CheckpointRecord, for lease: Lease) async throws {
        try await book.claim([checkpoint.digest], for: lease)
        try await library(lease.fence).keep(fileAt: checkpoint.path, as: checkpoint.digest)
    }

    func bring(_ checkpoint: CheckpointRecord, for lease: Lease, to path: String) async throws {
        let library = try library(lease.fence)
        try await library.bring([checkpoint.digest])
        // Needed once, and large: a cache is for what several jobs read.
        try library.store.take(checkpoint.digest, to: path)
    }

    /// Makes sure that what an attempt made is kept where all find it, before a row names it.
    private func keep(_ digests: some Collection<Digest>, for lease: Lease) async throws {
        try await book.claim(Array(digests), for: lease)
        try await library(lease.fence).keep(digests)
    }
}

extension String {
    fileprivate var lastName: String { String(split(separator: "/").last ?? "") }
}

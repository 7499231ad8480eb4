import Artifacts
import FlywheelCore
import Jobs
import Models
import Tensors
import Workers

/// Gives ranks their inputs from the artifacts, and takes their results into them.
struct ArtifactInputs: Workers.InputResolver {
    let artifacts: ArtifactStore

    func inputs(of assignment: Assignment, in folder: String) async throws -> RankInputs {
        let specification = try JobSpecification(json: assignment.specification)
        var inputs = RankInputs(paths: [:])
        for (role, input) in specification.envelope.resolved {
            let place = "\(folder)/\(role.rawValue)"
            switch input {
            case .dataset(let digest, _):
                try artifacts.materialize([place.lastName + ".jsonl": digest], at: folder)
                inputs.paths[role.rawValue] = place + ".jsonl"
            case .folder(_, let files):
                try artifacts.materialize(files, at: place)
                inputs.paths[role.rawValue] = place
                inputs.titles[role.rawValue] = specification.models[role]?.description
            case .output(let job):
                guard let output = assignment.outputs["\(job)"] else {
                    throw InputError(
                        field: role.rawValue,
                        "job \(job), which should have made it, made no model",
                        remedy: "Look at that job, and submit this one again after it.")
                }
                try artifacts.materialize(output.files, at: place)
                inputs.paths[role.rawValue] = place
                inputs.titles[role.rawValue] = output.model
            }
        }
        return inputs
    }
}

extension ArtifactInputs: ResultTaker {
    func outcome(
        of assignment: Assignment, result: JSONValue, attemptFolder: String
    ) async throws -> Outcome {
        switch try JobSpecification(json: assignment.specification) {
        case .train(let train):
            let folder = try ModelFolder("\(attemptFolder)/\(result["folder"]?.string ?? "model")")
            let files = try folder.add(to: artifacts, isModel: true)
            guard let digest = files["model.safetensors"] else {
                throw InputError(file: folder.path, "the ranks left no model.safetensors")
            }
            var base: String?
            if case .base(let reference) = train.model { base = reference.description }
            var dataset: Digest?
            if case .dataset(let digest, _) = train.envelope.resolved[.data] { dataset = digest }
            return Outcome(
                result: result,
                model: .init(
                    base: base, datasetDigest: dataset, digest: digest, files: files,
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
        }
    }
}

extension String {
    fileprivate var lastName: String { String(split(separator: "/").last ?? "") }
}

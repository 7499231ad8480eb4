import ArgumentParser
import FlywheelCore
import Jobs

/// Orders about jobs: each is answered with the state the job is in afterwards.
extension JobsCommand {
    struct Cancel: JobOrder {
        static let configuration = CommandConfiguration(
            abstract: "Cancel jobs: at once, or at the next step of those that run.")
        @OptionGroup var order: JobOrderOptions
        func give(_ job: JobID, to store: some JobStore) async throws -> JobState {
            try await store.cancel(job)
        }
    }

    struct Pause: JobOrder {
        static let configuration = CommandConfiguration(
            abstract: "Put jobs aside: at once, or at a checkpoint of those that run.")
        @OptionGroup var order: JobOrderOptions
        func give(_ job: JobID, to store: some JobStore) async throws -> JobState {
            try await store.pause(job)
        }
    }

    struct Resume: JobOrder {
        static let configuration = CommandConfiguration(
            abstract: "Take paused jobs up again, where they were.")
        @OptionGroup var order: JobOrderOptions
        func give(_ job: JobID, to store: some JobStore) async throws -> JobState {
            try await store.resume(job)
        }
    }

    struct Retry: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Submit ended jobs again, as new ones; prints their numbers.")
        @OptionGroup var order: JobOrderOptions

        func run(on database: Database) async throws {
            var made: [JSONValue] = []
            for old in try await JobArgument.ids(of: order.jobs, in: database) {
                let new = try await database.jobs.retry(old)
                made.append(["job": .integer(new.rawValue), "retry_of": .integer(old.rawValue)])
                if !order.output.isJSON {
                    print(
                        Terminal.output.isInteractive
                            ? "job \(new) does again what job \(old) did" : "\(new)")
                }
            }
            if order.output.isJSON { print(JSONValue.array(made).canonical) }
            try? await database.nudge()
        }
    }
}

struct JobOrderOptions: ParsableArguments {
    @Argument(help: "Numbers of jobs, or names, which mean the newest job so called.")
    var jobs: [JobArgument]
    @OptionGroup var output: OutputOptions
}

protocol JobOrder: DatabaseCommand {
    var order: JobOrderOptions { get }
    func give(_ job: JobID, to store: some JobStore) async throws -> JobState
}

extension JobOrder {
    func run(on database: Database) async throws {
        var states: [JSONValue] = []
        for id in try await JobArgument.ids(of: order.jobs, in: database) {
            let state = try await give(id, to: database.jobs)
            states.append(["job": .integer(id.rawValue), "state": .string(state.rawValue)])
            if !order.output.isJSON {
                print(Terminal.output.isInteractive ? "job \(id): \(state)" : "\(id)\t\(state)")
            }
        }
        if order.output.isJSON { print(JSONValue.array(states).canonical) }
        try? await database.nudge()
    }
}

extension Database {
    /// Hints that there may be something to do; without it, it is found a moment later.
    func nudge() async throws {
        for whom in Nudge.allCases { try await jobs.nudge(whom) }
    }
}

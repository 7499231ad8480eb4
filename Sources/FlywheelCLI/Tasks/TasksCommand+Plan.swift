import ArgumentParser
import FlywheelCore
import Jobs
import Stores
import Tasks

extension TasksCommand {
    struct Plan: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "What a turn of a task's wheel would take, before anything is spent.",
            discussion: """
                Rows, hours, money and memory, stage by stage, with where each number is from: the last \
                turn, measured calls and trainings, or an assumption. Says also what would keep a turn \
                from working, and whether its cap suffices.
                """)
        @Argument(help: "The task.") var task: String
        @OptionGroup var cap: CapOptions
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let entry = try await database.tasks.requiredTask(task)
            let cap = try cap.cap(of: entry.specification)
            let (turn, plan) = try await TurnStarter(database: database).turn(of: entry, cap)
            let names: [String: JSONValue] = [
                "task": .string(task), "incumbent": .string(entry.route.description),
                "student": .string(turn.studentName),
            ]
            output.print(plan.json.merging(names)) { show(plan, of: turn) }
            if let sentence = entry.specification.teacherUnasked { Terminal.note(sentence) }
        }

        private func show(_ plan: TurnPlan, of turn: TaskTurn) {
            var table = Table(
                .text("STAGE"), .number("WORK"), .text("OF"), .number("TIME"), .number("SLOTS"),
                .number("CALLS"), .number("SLOTS' MONEY"), .text("FROM"))
            for part in plan.parts {
                table.add(
                    part.stage.rawValue, Formatting.count(Int(part.count)), part.unit,
                    Formatting.duration(.seconds(part.seconds)), "\(part.slots)",
                    part.callMoney.map { Formatting.fixed($0, 4) } ?? "?",
                    Formatting.fixed(part.slotMoney, 4), part.basis)
            }
            table.show()
            print(
                """

                \(turn.studentName): \(Formatting.count(plan.size.parameters)) parameters, \
                \(Formatting.bytes(plan.size.rankMemory)) a rank, \(plan.ranks) ranks; \
                compared with \(turn.incumbent)
                in all: \(Formatting.duration(.seconds(plan.seconds))) of \(plan.cap.hours) h, \
                \(Formatting.fixed(plan.money, 4)) of \(plan.cap.money) in money
                """)
            for objection in plan.objections { print(objection) }
            if plan.objections.isEmpty { print("The cap suffices.") }
        }
    }
}

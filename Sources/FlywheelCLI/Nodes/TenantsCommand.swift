import ArgumentParser
import FlywheelCore
import Stores

struct TenantsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenants", abstract: "See and steer who shares the slots.",
        subcommands: [List.self, Set.self])

    struct List: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "List tenants: what they hold, wait for and have used of late, in slot-hours."
        )
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let rows = try await database.views.tenants()
            output.print(.array(rows)) {
                var table = Table(
                    .text("NAME"), .number("SHARE"), .number("CAP"), .number("SLOTS"),
                    .number("WAITING"), .number("USED"))
                for row in rows {
                    table.add(
                        row.cell("name"), row.cell("share"), row.cell("slots_max"),
                        row.cell("slots"), row.cell("waiting"), row.fixed("usage", 2))
                }
                table.show()
            }
        }
    }

    struct Set: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a tenant its share of the slots, or a cap.")
        @Argument var tenant: String
        @Option(help: "Beside the shares of others with jobs at the same priority; 1 at first.")
        var share: Double?
        @Option(help: "Slots at once; 0: as many as there are.")
        var slotsMax: Int?

        func validate() throws {
            guard share != nil || slotsMax != nil else {
                throw ValidationError("Give --share or --slots-max.")
            }
        }

        func run(on database: Database) async throws {
            try await database.views.setTenant(tenant, share: share, slotsMax: slotsMax)
            try? await database.nudge()
        }
    }
}

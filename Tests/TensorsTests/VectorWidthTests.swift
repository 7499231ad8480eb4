import Foundation
import Testing

/// The kernels compiled by themselves for each level of x86-64, as `target_clones` compiles them together.
@Suite(.enabled(if: Compiler.clang != nil, "clang comes with Swift's toolchain"))
struct VectorWidths {
    @Test func `every kernel gives the same bits at every width of vectors`() throws {
        let folder = NSTemporaryDirectory() + "flywheel-widths-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }

        // The run-time choice first: on a machine without AVX-512 the highest level cannot run.
        var printed: [String: String] = [:]
        for (name, flags) in Compiler.levels {
            let program = "\(folder)/\(name)"
            let compiled = try Compiler.compile(flags, to: program)
            try #require(compiled.isDone, "\(name): \(compiled.output)")
            let run = try Compiler.run(program, [])
            if run.isIllegalInstruction { continue }
            try #require(run.isDone, "\(name): \(run.output)")
            printed[name] = run.output
        }
        let chosen = try #require(printed["chosen"])
        #expect(chosen.split(separator: "\n").count > 20)
        #expect(printed.count >= 2, "only \(printed.keys.sorted()) ran")
        for (name, output) in printed { #expect(output == chosen, "\(name)") }
        print("kernels compared at \(printed.keys.sorted())")
    }
}

private enum Compiler {
    static let clang: String? = (ProcessInfo.processInfo.environment["PATH"] ?? "")
        .split(separator: ":").map { "\($0)/clang" }
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    /// What to compile for: as the package does, and each level alone where there are levels.
    static var levels: [(name: String, flags: [String])] {
        var levels: [(String, [String])] = [("chosen", [])]
        #if arch(x86_64)
        for level in ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"] {
            levels.append((level, ["-march=\(level)", "-DDISPATCHED="]))
        }
        #else
        levels.append(("native", ["-mcpu=native"]))
        #endif
        return levels
    }

    struct Run {
        var status: Int32
        var isSignal: Bool
        var output: String
        var isDone: Bool { status == 0 && !isSignal }
        var isIllegalInstruction: Bool { isSignal && status == SIGILL }
    }

    static func compile(_ flags: [String], to program: String) throws -> Run {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().path
        let kernels = "\(root)/Sources/CKernels"
        let sources = try FileManager.default.contentsOfDirectory(atPath: kernels)
            .filter { $0.hasSuffix(".c") }.sorted().map { "\(kernels)/\($0)" }
        return try run(
            clang ?? "",
            ["-O2", "-I\(kernels)", "-I\(kernels)/include"] + flags
                + ["\(root)/Tests/Goldens/kernels/widths.c"] + sources + ["-lm", "-o", program])
    }

    static func run(_ program: String, _ arguments: [String]) throws -> Run {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Run(
            status: process.terminationStatus,
            isSignal: process.terminationReason == .uncaughtSignal,
            output: String(decoding: output, as: UTF8.self))
    }
}

// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target of ours is compiled with.
///
/// Under CI a warning is an error.
let strict: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .strictMemorySafety(),
    ] + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])

extension Target.Dependency {
    static let asyncHTTPClient = product(name: "AsyncHTTPClient", package: "async-http-client")
    static let argumentParser = product(name: "ArgumentParser", package: "swift-argument-parser")
    static let crypto = product(name: "Crypto", package: "swift-crypto")
    static let httpTypes = product(name: "HTTPTypes", package: "swift-http-types")
    static let hummingbird = product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdTLS = product(name: "HummingbirdTLS", package: "hummingbird")
    static let unixSignals = product(name: "UnixSignals", package: "swift-service-lifecycle")
    static let lifecycle = product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let logging = product(name: "Logging", package: "swift-log")
    static let nioCore = product(name: "NIOCore", package: "swift-nio")
    static let nioEmbedded = product(name: "NIOEmbedded", package: "swift-nio")
    static let nioHTTP1 = product(name: "NIOHTTP1", package: "swift-nio")
    static let nioPosix = product(name: "NIOPosix", package: "swift-nio")
    static let yams = product(name: "Yams", package: "Yams")
}

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "flywheel",
    products: [
        .executable(name: "flywheel", targets: ["FlywheelCLI"]),
        .executable(name: "flywheel-rank", targets: ["FlywheelRank"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        // Executables: arguments, configuration, assembly.
        program(
            "FlywheelCLI",
            [
                "Coordination", "Workers", "Gateway", "Labelling", "Tasks", "Captures", "Curation",
                "Stores",
                "EmbeddedPostgres", "Postgres", "Jobs",
                "Evaluation", "Graders",
                "Generation", "Models", "Datasets", "Tokenizers", "Artifacts", "Training",
                "ArtifactTransfer", "Collectives",
                "Tensors", "Processes", "Serving", "Distillation", "FlywheelCore",
                .argumentParser, .logging, .yams,
                .hummingbird,
                .asyncHTTPClient, .httpTypes, .nioCore, .nioHTTP1,
            ]),
        program(
            "FlywheelRank",
            [
                "CollectivesMPI", "Jobs", "Training", "Evaluation", "Distillation", "Graders",
                "Generation",
                "Models",
                "Datasets",
                "Tokenizers", "Artifacts", "Collectives", "Tensors", "FlywheelCore",
            ]),

        // Services.
        module("Coordination", ["Jobs", "FlywheelCore", .logging]),
        module(
            "Workers",
            [
                "Jobs", "Artifacts", "Processes", "FlywheelCore", .asyncHTTPClient, .nioCore,
                .logging,
            ]),
        module(
            "Serving",
            [
                "HTTPInterface", "Generation", "Datasets", "Models", "Tokenizers", "Tensors",
                "FlywheelCore",
                .hummingbird, .httpTypes, .nioCore, .lifecycle, .unixSignals, .logging,
            ]),

        module(
            "Gateway",
            [
                "HTTPInterface", "Tasks", "Captures", "FlywheelCore", .hummingbird,
                .hummingbirdTLS, .asyncHTTPClient, .httpTypes,
                .nioCore, .nioHTTP1, .nioPosix, .lifecycle, .unixSignals, .logging,
            ]),

        module(
            "Labelling",
            [
                "Distillation", "Captures", "Datasets", "Tokenizers", "Jobs", "FlywheelCore",
                .asyncHTTPClient, .nioCore, .nioHTTP1,
            ]),

        // Adapters.
        module(
            "Stores",
            [
                "Tasks", "Captures", "Curation", "Jobs", "Graders", "Postgres", "CMigrations",
                "FlywheelCore",
                .logging,
            ]),
        module(
            "HTTPInterface", ["FlywheelCore", .hummingbird, .httpTypes, .nioCore, .logging]),
        module(
            "ArtifactTransfer",
            [
                "Artifacts", "HTTPInterface", "FlywheelCore", .crypto, .hummingbird, .httpTypes,
                .asyncHTTPClient, .nioCore, .nioHTTP1, .logging,
            ]),
        module("CollectivesMPI", ["Collectives", "CMPI"]),

        // Domain.
        module("Jobs", ["Graders", "FlywheelCore", .yams]),
        module("Graders", ["FlywheelCore"]),
        module("Captures", ["Jobs", "FlywheelCore", .crypto]),
        module("Curation", ["Datasets", "Tokenizers", "FlywheelCore"]),
        module("Tasks", ["Captures", "Jobs", "Graders", "FlywheelCore"]),
        module(
            "Training",
            [
                "Jobs", "Models", "Datasets", "Tokenizers", "Artifacts", "Collectives",
                "Tensors",
                "FlywheelCore",
            ]),
        module(
            "Evaluation",
            [
                "Graders", "Jobs", "Models", "Generation", "Datasets", "Tokenizers", "Collectives",
                "Tensors", "FlywheelCore",
            ]),
        module(
            "Distillation", ["Datasets", "Tokenizers", "Graders", "Jobs", "FlywheelCore"]),
        module("Generation", ["Models", "Tokenizers", "Tensors", "FlywheelCore"]),
        module("Models", ["Artifacts", "Tensors", "FlywheelCore"]),
        module("Datasets", ["Tokenizers", "FlywheelCore"]),
        module("Tokenizers", ["FlywheelCore"]),

        // Ground.
        module("Artifacts", ["FlywheelCore"]),
        module("Collectives", ["FlywheelCore"]),
        module("Tensors", ["CKernels", "CDNNL", "FlywheelCore"]),
        module("EmbeddedPostgres", ["Processes", "FlywheelCore", .logging]),
        module("Postgres", ["CPostgres", "FlywheelCore", .logging]),
        module("Processes", ["CProcess"]),
        module("FlywheelCore", [.crypto]),

        // C.
        .target(name: "CDNNL"),
        .target(name: "CKernels"),
        .target(name: "CMigrations"),
        .target(name: "CProcess"),
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(
            name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev", "openmpi-bin"])]),

        // Tests: one target per module, and those that run the whole.
        .target(
            name: "TestSupport",
            dependencies: [
                "Stores", "EmbeddedPostgres", "Postgres", "Jobs", "Processes", "FlywheelCore",
                .asyncHTTPClient, .nioCore, .nioHTTP1, .logging,
            ],
            path: "Tests/TestSupport", swiftSettings: strict),
        tests("FlywheelCoreTests", ["FlywheelCore"]),
        tests("ProcessesTests", ["Processes", "TestSupport"]),
        tests(
            "EmbeddedPostgresTests",
            ["EmbeddedPostgres", "Postgres", "Processes", "TestSupport", .logging]),
        tests("PostgresTests", ["Postgres", "TestSupport", .logging]),
        tests("ArtifactsTests", ["Artifacts", "FlywheelCore", "TestSupport"]),
        tests("CollectivesTests", ["Collectives", "FlywheelCore", "TestSupport"]),
        tests("TensorsTests", ["Tensors", "CKernels", "FlywheelCore", "TestSupport"]),
        tests("TokenizersTests", ["Tokenizers", "FlywheelCore", "TestSupport"]),
        tests("DatasetsTests", ["Datasets", "Tokenizers", "FlywheelCore", "TestSupport"]),
        tests("ModelsTests", ["Models", "Tensors", "Artifacts", "FlywheelCore", "TestSupport"]),
        tests(
            "GenerationTests",
            ["Generation", "Models", "Tokenizers", "Tensors", "FlywheelCore", "TestSupport"]),
        tests(
            "TrainingTests",
            [
                "Training", "Models", "Datasets", "Tokenizers", "Artifacts", "Collectives",
                "Tensors", "Jobs",
                "FlywheelCore", "TestSupport",
            ]),
        tests("GradersTests", ["Graders", "FlywheelCore", "TestSupport"]),
        tests(
            "EvaluationTests",
            [
                "Evaluation", "Graders", "Models", "Datasets", "Tokenizers", "Collectives",
                "FlywheelCore",
                "TestSupport",
            ]),
        tests("CapturesTests", ["Captures", "FlywheelCore", "TestSupport"]),
        tests(
            "CurationTests", ["Curation", "Datasets", "Tokenizers", "FlywheelCore", "TestSupport"]),
        tests(
            "TasksTests",
            ["Tasks", "Captures", "Stores", "Jobs", "Postgres", "FlywheelCore", "TestSupport"]),
        tests(
            "ArtifactTransferTests",
            [
                "ArtifactTransfer", "Artifacts", "Processes", "FlywheelCore", "TestSupport",
                .asyncHTTPClient, .nioCore, .nioHTTP1, .logging,
            ]),
        tests("HTTPInterfaceTests", ["HTTPInterface", .nioCore, .nioEmbedded]),
        tests(
            "GatewayTests",
            [
                "Gateway", "Labelling", "Tasks", "Captures", "Jobs", "Stores", "EmbeddedPostgres",
                "Postgres", "Processes", "FlywheelCore", "TestSupport", .hummingbird,
                .asyncHTTPClient, .httpTypes, .nioCore,
                .nioHTTP1, .logging,
            ]),
        tests(
            "DistillationTests",
            ["Distillation", "Datasets", "Tokenizers", "Graders", "Jobs", "FlywheelCore"]),
        tests(
            "LabellingTests",
            [
                "Labelling", "Captures", "FlywheelCore", "TestSupport", .hummingbird, .httpTypes,
                .nioCore, .logging,
            ]),
        tests("JobsTests", ["Jobs", "Graders", "FlywheelCore", "TestSupport"]),
        tests(
            "StoresTests", ["Stores", "Postgres", "Jobs", "FlywheelCore", "TestSupport", .logging]),
        tests(
            "WorkersTests",
            [
                "Workers", "Stores", "Postgres", "Processes", "Jobs", "Artifacts",
                "FlywheelCore", "TestSupport", .logging,
            ]),
        tests(
            "CoordinationTests",
            [
                "Coordination", "Stores", "Postgres", "Jobs", "FlywheelCore", "TestSupport",
                .logging,
            ]),
        tests(
            "CommandTests",
            ["Stores", "Postgres", "Processes", "Jobs", "FlywheelCore", "TestSupport"]),
        tests(
            "ClusterTests",
            [
                "Stores", "EmbeddedPostgres", "Postgres", "Processes", "Jobs", "FlywheelCore",
                "TestSupport", .asyncHTTPClient, .hummingbird, .httpTypes, .nioCore, .nioHTTP1,
                .logging,
            ]),
        tests(
            "ServingTests",
            [
                "Serving", "Generation", "Models", "Tokenizers", "Tensors", "Processes",
                "FlywheelCore",
                "TestSupport", .asyncHTTPClient, .httpTypes, .nioCore, .nioHTTP1,
            ]),
        tests(
            "ClusterFilesTests",
            [
                "Stores", "EmbeddedPostgres", "Postgres", "Processes", "FlywheelCore",
                "TestSupport", .asyncHTTPClient, .nioCore,
            ]),
        tests("HouseTests", ["CMigrations", "FlywheelCore"]),
    ]
)

import EmbeddedPostgres
import FlywheelCore
import Foundation
import Tensors

/// Looks at this machine: every line of `flywheel doctor`.
struct Doctor {
    struct Finding {
        enum State: String {
            case found
            /// Not there, and not needed.
            case absent
            /// Not there, and needed.
            case missing
        }

        var name: String
        var state: State
        var detail: String
        /// How to get it.
        var remedy: String?

        static func found(_ name: String, _ detail: String) -> Self {
            Self(name: name, state: .found, detail: detail)
        }
        static func absent(_ name: String, _ detail: String, _ remedy: String? = nil) -> Self {
            Self(name: name, state: .absent, detail: detail, remedy: remedy)
        }
        static func missing(_ name: String, _ detail: String, _ remedy: String) -> Self {
            Self(name: name, state: .missing, detail: detail, remedy: remedy)
        }
    }

    let environment: Environment

    func examine() -> [Finding] {
        [
            system, processor, products, cores, memory, server, clientLibrary, launcher, ranks,
            home, packages, accelerator,
        ]
    }

    // MARK: The machine

    private var system: Finding {
        var kernel = utsname()
        guard unsafe uname(&kernel) == 0 else {
            return .absent("system", "its name is not known")
        }
        let release = unsafe withUnsafeBytes(of: &kernel.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        let pretty = Self.lines(of: "/etc/os-release").first { $0.hasPrefix("PRETTY_NAME=") }
        let name = pretty?.dropFirst("PRETTY_NAME=".count).trimmingCharacters(in: ["\""]) ?? "Linux"
        return .found("system", "\(name), kernel \(release)")
    }

    private var processor: Finding {
        let lines = Self.lines(of: "/proc/cpuinfo")
        func field(_ names: String...) -> String? {
            lines.first { line in names.contains { line.hasPrefix($0) } }?
                .split(separator: ":", maxSplits: 1).last?.trimmingCharacters(in: .whitespaces)
        }
        let flags = Set((field("flags", "Features") ?? "").split(separator: " ").map(String.init))
        let features = [
            "avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16", "asimd", "bf16", "sve",
        ].filter(flags.contains)
        let name = field("model name", "Model") ?? "unknown processor"
        let listed = features.isEmpty ? "no vector features known" : features.joined(separator: " ")
        return .found("processor", "\(name): \(listed)")
    }

    /// What matrix products run by, and so what `precision: auto` means here.
    private var products: Finding {
        guard let missing = Precision.bf16.missing else {
            return .found("products", "bf16 and fp32; auto is bf16: \(Precision.bf16.profile)")
        }
        let flags = Self.lines(of: "/proc/cpuinfo").first { $0.hasPrefix("flags") } ?? ""
        let wants = ["avx512_bf16", "amx_bf16"].contains { flags.contains($0) }
        return .absent(
            "products", "fp32 alone: \(missing)", wants ? "apt-get install libdnnl2" : nil)
    }

    private var cores: Finding {
        let usable = ProcessInfo.processInfo.activeProcessorCount
        return .found("cores", "\(usable) usable: room for \(usable) slots")
    }

    private var memory: Finding {
        func bytes(_ key: String) -> Int? {
            Self.lines(of: "/proc/meminfo").first { $0.hasPrefix(key + ":") }?
                .split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
        }
        guard let total = bytes("MemTotal"), let free = bytes("MemAvailable") else {
            return .absent("memory", "its size is not known")
        }
        return .found(
            "memory", "\(Formatting.bytes(total)), \(Formatting.bytes(free)) available")
    }

    // MARK: Programs and libraries

    private var server: Finding {
        let path = ProcessInfo.processInfo.environment["PATH"]
        do {
            let server = try ServerPrograms.suitable(forHome: environment.home, path: path).postgres
            guard let version = Programs.firstLine(of: server, "--version") else {
                return .missing("postgresql", "\(server) does not run", "Install it again.")
            }
            return .found("postgresql", "\(version), \(server)")
        } catch {
            guard environment.databaseURL == nil else {
                return .absent("postgresql", "no server here; FLYWHEEL_DATABASE_URL names another")
            }
            if case .versionMissing(let wanted, _, let data) = error {
                return .missing(
                    "postgresql", "\(data) was made by version \(wanted), which is not installed",
                    "apt-get install postgresql-\(wanted)")
            }
            return .missing(
                "postgresql", "no server found",
                "apt-get install postgresql, or set FLYWHEEL_DATABASE_URL to a server that runs.")
        }
    }

    private var clientLibrary: Finding {
        guard let version = SharedLibrary("libpq.so.5")?.number(from: "PQlibVersion") else {
            return .missing("libpq", "not found", "apt-get install libpq5")
        }
        return .found("libpq", "\(version / 10_000).\(version % 10_000)")
    }

    private var launcher: Finding {
        guard let path = Programs.path(of: "mpirun") else {
            return .missing("mpirun", "not found", "apt-get install openmpi-bin")
        }
        guard let version = Programs.firstLine(of: path, "--version"), version.contains("Open MPI")
        else {
            return .missing(
                "mpirun", "\(path) is not Open MPI's", "apt-get install openmpi-bin")
        }
        return .found("mpirun", "\(version), \(path)")
    }

    private var ranks: Finding {
        guard let path = Programs.sibling("flywheel-rank") else {
            return .missing(
                "flywheel-rank", "not beside this executable",
                "Build it (swift build -c release) or install both programs into one folder.")
        }
        return .found("flywheel-rank", path)
    }

    // MARK: Places

    private var home: Finding {
        var place = URL(fileURLWithPath: environment.home)
        while !FileManager.default.fileExists(atPath: place.path), place.path != "/" {
            place.deleteLastPathComponent()
        }
        guard FileManager.default.isWritableFile(atPath: place.path) else {
            return .missing(
                "home", "\(place.path) cannot be written to",
                "Set FLYWHEEL_HOME to a folder of your own.")
        }
        let volume = try? FileManager.default.attributesOfFileSystem(forPath: place.path)
        guard let free = (volume?[.systemFreeSize] as? NSNumber)?.uint64Value else {
            return .absent("home", "\(environment.home), on a volume of unknown size")
        }
        let detail = "\(environment.home), \(Formatting.bytes(free)) free"
        guard free >= 1 << 30 else {
            return .missing(
                "home", detail, "Checkpoints need at least 1 GiB: free some, or set FLYWHEEL_HOME.")
        }
        return .found("home", detail)
    }

    private var packages: Finding {
        guard let path = Programs.path(of: "apt-cache") else {
            return .absent("apt-cache", "not found", "`flywheel demo` takes its data from it.")
        }
        return .found("apt-cache", "\(path): the data of `flywheel demo`")
    }

    private var accelerator: Finding {
        guard SharedLibrary("libcuda.so.1") != nil else {
            return .absent("gpu", "no driver found; this version computes on the processor")
        }
        let version = Self.lines(of: "/proc/driver/nvidia/version").first ?? "NVIDIA driver"
        return .found("gpu", "\(version); not used by this version")
    }

    private static func lines(of path: String) -> [Substring] {
        // Files of /proc have no size to read by.
        let data = FileManager.default.contents(atPath: path) ?? Data()
        return String(decoding: data, as: UTF8.self).split(separator: "\n")
    }
}

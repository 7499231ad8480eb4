import ArgumentParser
import EmbeddedPostgres
import FlywheelCore
import Foundation
import Jobs

/// How a command ended, for the shell; the one place where errors become numbers.
enum ExitStatus: Int32, Error {
    case done = 0
    /// The work itself failed: a job, not the command.
    case failed = 1
    /// `EX_USAGE`
    case usage = 64
    /// `EX_DATAERR`
    case input = 65
    /// `EX_UNAVAILABLE`
    case unavailable = 69
    /// As shells count a death by SIGINT.
    case interrupted = 130

    /// The status of `error`, and the sentence to print; nil where everything is said already.
    static func of(_ error: any Error) -> (status: ExitStatus, sentence: String?) {
        switch error {
        case let status as ExitStatus: (status, nil)
        case let error as InputError: (.input, error.description)
        case let error as StoreRefusal: (.input, error.description)
        case let error as ServiceUnavailable: (.unavailable, error.description)
        case let error as EmbeddedPostgresError: (.unavailable, error.description)
        case is CancellationError: (.interrupted, nil)
        case let error as CocoaError: (.input, sentence(of: error))
        default: (.failed, "\(error)")
        }
    }

    /// What Foundation could not do with a file, as a sentence.
    private static func sentence(of error: CocoaError) -> String {
        let path = error.filePath ?? error.url?.path ?? "a file"
        let underlying = error.underlying as? POSIXError
        let problem =
            underlying.map { unsafe String(cString: strerror($0.code.rawValue)) }
            ?? error.localizedDescription
        return "\(path): \(problem). Nothing more was done; check the path and its permissions."
    }

    /// Prints what is to be said of `error` and ends the process.
    static func end(with error: any Error) -> Never {
        // Help, versions, completion scripts and wrong usage belong to the parser.
        let parsed = Flywheel.exitCode(for: error)
        if parsed == .success { Flywheel.exit(withError: error) }
        if parsed == .validationFailure {
            let usage = Flywheel.fullMessage(for: error)
            let prefix = "Error: "
            Terminal.complain(String(usage.dropFirst(usage.hasPrefix(prefix) ? prefix.count : 0)))
            exit(ExitStatus.usage.rawValue)
        }
        let (status, sentence) = of(error)
        if let sentence { Terminal.complain(sentence) }
        exit(status.rawValue)
    }
}

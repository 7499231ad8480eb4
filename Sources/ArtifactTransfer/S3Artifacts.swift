public import Artifacts
import AsyncHTTPClient
public import FlywheelCore
import Foundation
import NIOCore
import NIOHTTP1

/// Artifacts in a bucket of S3, or of a server that speaks as S3 does.
///
/// Each object is named by its digest. A file in one piece is signed with that digest, so the server itself
/// refuses other bytes; a large one goes in parts, each signed with its own, and whoever was cut off goes
/// on behind the parts that arrived.
public struct S3Artifacts: RemoteArtifacts {
    private let bucket: String
    private let prefix: String
    private let credentials: S3Credentials
    /// Of a server that is not Amazon's; its buckets are parts of the path.
    private let endpoint: String?
    /// How large a file may be to go in one piece, and how large parts are; Amazon takes none below 5 MiB.
    private let partBytes: Int64

    public init(
        bucket: String, prefix: String, credentials: S3Credentials, endpoint: String? = nil,
        partBytes: Int64 = 64 << 20
    ) {
        self.bucket = bucket
        self.prefix = prefix
        self.credentials = credentials
        self.endpoint = endpoint.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        self.partBytes = partBytes
    }

    /// From what Amazon's own programs read: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`.
    public init(
        bucket: String, prefix: String, variables: [String: String]
    ) throws(InputError) {
        func value(_ name: String) -> String? {
            variables[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        guard let key = value("AWS_ACCESS_KEY_ID"), let secret = value("AWS_SECRET_ACCESS_KEY")
        else {
            throw InputError(
                field: "FLYWHEEL_ARTIFACTS",
                "a bucket needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                remedy: "Set both in the environment.")
        }
        self.init(
            bucket: bucket, prefix: prefix,
            credentials: S3Credentials(
                key: key, secret: secret, session: value("AWS_SESSION_TOKEN"),
                region: value("AWS_REGION") ?? value("AWS_DEFAULT_REGION") ?? "us-east-1"),
            endpoint: value("AWS_ENDPOINT_URL_S3") ?? value("AWS_ENDPOINT_URL"))
    }

    private func name(_ digest: Digest) -> String { "\(prefix)sha256/\(digest)" }

    // MARK: Reading

    public func size(of digest: Digest) async throws -> Int64? {
        try await head(digest)?.size
    }

    private func head(_ digest: Digest) async throws -> (size: Int64, at: Date)? {
        let answer = try await ask(.HEAD, name(digest))
        if answer.status == .notFound { return nil }
        try check(answer)
        let size = answer.headers.first(name: "content-length").flatMap { Int64($0) } ?? 0
        let date = answer.headers.first(name: "last-modified").flatMap { Self.date($0) }
        return (size, date ?? .distantPast)
    }

    public func read(
        _ digest: Digest, from offset: Int64, _ take: ([UInt8]) throws -> Void
    ) async throws {
        let answer = try await ask(
            .GET, name(digest), headers: offset > 0 ? ["range": "bytes=\(offset)-"] : [:])
        if answer.status == .notFound {
            throw ArtifactError.missing(digest, store: "s3://\(bucket)/\(prefix)")
        }
        try check(answer)
        guard offset == 0 || answer.status == .partialContent else {
            throw Unexpected(url: place, status: answer.status)
        }
        for try await piece in answer.body { try take(Array(piece.readableBytesView)) }
    }

    // MARK: Adding

    public func add(
        fileAt path: String, as digest: Digest, bytes: Int64,
        progress: @escaping @Sendable () -> Void
    ) async throws {
        // One that has lain there for long may just be leaving: written again, it is new.
        if let known = try await head(digest), known.at.timeIntervalSinceNow > -Self.freshness {
            return
        }
        if bytes <= partBytes {
            let whole = FilePieces(path: path, from: 0, progress: progress)
            let answer = try await ask(
                .PUT, name(digest), payload: digest,
                body: .stream(whole, length: .known(bytes)))
            return try check(answer, of: digest)
        }
        try await addInParts(path, digest, bytes, progress)
    }

    /// Far below the age at which a sweep takes what no row names.
    private static let freshness = 3600.0

    private func addInParts(
        _ path: String, _ digest: Digest, _ bytes: Int64, _ progress: @escaping @Sendable () -> Void
    ) async throws {
        let upload = try await upload(of: digest)
        // No more than 10,000 parts.
        let size = max(partBytes, (bytes + 9_999) / 10_000)
        var tags = try await parts(of: upload, digest, size: size)
        for (index, start) in stride(from: 0, to: bytes, by: Int(size)).enumerated()
        where tags[index + 1] == nil {
            let end = min(bytes, start + size)
            var digester = Digester()
            for try await piece in FilePieces(path: path, from: start, upTo: end) {
                digester.update(Array(piece.readableBytesView))
            }
            let pieces = FilePieces(path: path, from: start, upTo: end, progress: progress)
            let answer = try await ask(
                .PUT, name(digest), [("partNumber", "\(index + 1)"), ("uploadId", upload)],
                payload: digester.finish(), body: .stream(pieces, length: .known(end - start)))
            try check(answer, of: digest)
            tags[index + 1] = answer.headers.first(name: "etag") ?? ""
        }
        // Parts are signed as they were read; the whole must be the file that was meant.
        guard try Digest(ofFile: path) == digest else {
            throw RemoteArtifactError.rejected(digest, place)
        }
        try await complete(upload, of: digest, tags)
    }

    private func complete(
        _ upload: String, of digest: Digest, _ tags: [Int: String]
    ) async throws {
        let list = tags.sorted { $0.key < $1.key }.map {
            "<Part><PartNumber>\($0.key)</PartNumber><ETag>\($0.value)</ETag></Part>"
        }
        let text = "<CompleteMultipartUpload>\(list.joined())</CompleteMultipartUpload>"
        let answer = try await ask(
            .POST, name(digest), [("uploadId", upload)], payload: Digest(of: text),
            body: .bytes(ByteBuffer(string: text)))
        // Amazon may answer 200 first and find an error then.
        let said = try await self.text(answer)
        guard answer.status == .ok, !said.contains("<Error>") else {
            throw Unexpected(url: "\(place): \(said.prefix(200))", status: answer.status)
        }
    }

    /// An upload in parts that was begun for this digest, or a new one.
    private func upload(of digest: Digest) async throws -> String {
        let begun = try await ask(.GET, "", [("uploads", ""), ("prefix", name(digest))])
        let listing = try await checkedText(begun)
        for upload in S3Text.values(of: "Upload", in: listing)
        where S3Text.value(of: "Key", in: upload) == name(digest) {
            if let id = S3Text.value(of: "UploadId", in: upload) { return id }
        }
        let answer = try await checkedText(ask(.POST, name(digest), [("uploads", "")]))
        guard let id = S3Text.value(of: "UploadId", in: answer) else {
            throw Unexpected(url: place, status: .ok)
        }
        return id
    }

    /// The tags of the parts that have arrived, by number; those of another size are sent again.
    private func parts(
        of upload: String, _ digest: Digest, size: Int64
    ) async throws -> [Int: String] {
        var tags: [Int: String] = [:]
        var marker = "0"
        while true {
            let listing = try await checkedText(
                ask(
                    .GET, name(digest),
                    [("uploadId", upload), ("part-number-marker", marker)]))
            for part in S3Text.values(of: "Part", in: listing) {
                guard let number = S3Text.value(of: "PartNumber", in: part).flatMap({ Int($0) }),
                    S3Text.value(of: "Size", in: part) == "\(size)"
                else { continue }
                tags[number] = S3Text.value(of: "ETag", in: part)
            }
            guard S3Text.value(of: "IsTruncated", in: listing) == "true",
                let next = S3Text.value(of: "NextPartNumberMarker", in: listing), next != marker
            else { return tags }
            marker = next
        }
    }

    // MARK: Upkeep

    /// The artifacts that nobody has written for `age`.
    public func old(_ age: Duration) async throws -> [Digest] {
        var found: [Digest] = []
        var token: String?
        repeat {
            var query = [("list-type", "2"), ("prefix", prefix + "sha256/")]
            if let token { query.append(("continuation-token", token)) }
            let listing = try await checkedText(ask(.GET, "", query))
            for object in S3Text.values(of: "Contents", in: listing) {
                guard let name = S3Text.value(of: "Key", in: object),
                    let digest = Digest(hex: name.suffix(64)), self.name(digest) == name,
                    let written = S3Text.value(of: "LastModified", in: object),
                    let date = try? Date(
                        written.replacing(#/\.\d+/#, with: ""), strategy: .iso8601),
                    -date.timeIntervalSinceNow >= age / .seconds(1)
                else { continue }
                found.append(digest)
            }
            token = S3Text.value(of: "NextContinuationToken", in: listing)
        } while token != nil
        return found
    }

    /// Removes an artifact; one that is not there is no error.
    public func remove(_ digest: Digest) async throws {
        let answer = try await ask(.DELETE, name(digest))
        if answer.status != .notFound { try check(answer) }
    }

    // MARK: Requests

    private var place: String { "s3://\(bucket)/\(prefix)" }

    private func ask(
        _ method: HTTPMethod, _ name: String, _ query: [(String, String)] = [],
        headers: [String: String] = [:], payload: Digest = Digest(of: ""),
        body: HTTPClientRequest.Body? = nil
    ) async throws -> HTTPClientResponse {
        let base = endpoint ?? "https://\(bucket).s3.\(credentials.region).amazonaws.com"
        let path =
            (endpoint == nil ? "/" : "/\(bucket)/") + S3Signature.encoded(name, keeping: "/")
        let host = base.replacing(#/^https?:\/\//#, with: "")
        let signed = S3Signature(credentials: credentials, date: Date()).headers(
            method: method.rawValue, host: host, path: path, query: query, headers: headers,
            payload: payload)
        var request = HTTPClientRequest(
            url: base + path + (query.isEmpty ? "" : "?" + S3Signature.query(query)))
        request.method = method
        for (name, value) in signed where name != "host" {
            request.headers.add(name: name, value: value)
        }
        request.body = body
        return try await TransferClient.shared.execute(request, deadline: .distantFuture)
    }

    private func check(_ answer: HTTPClientResponse, of digest: Digest? = nil) throws {
        switch answer.status {
        case .ok, .noContent, .partialContent: return
        case .unauthorized, .forbidden: throw RemoteArtifactError.refused(place)
        case .badRequest:
            if let digest { throw RemoteArtifactError.rejected(digest, place) }
            throw Unexpected(url: place, status: answer.status)
        default: throw Unexpected(url: place, status: answer.status)
        }
    }

    private func text(_ answer: HTTPClientResponse) async throws -> String {
        String(buffer: try await answer.body.collect(upTo: 16 << 20))
    }

    private func checkedText(_ answer: HTTPClientResponse) async throws -> String {
        try check(answer)
        return try await text(answer)
    }

    /// A date as HTTP writes it.
    private static func date(_ text: String) -> Date? {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        return formatter.date(from: text)
    }
}

/// What we read of S3's answers, which are XML without attributes where we look.
enum S3Text {
    /// The contents of every element called `name`, in order; elements of one name do not nest there.
    static func values(of name: String, in text: String) -> [String] {
        var values: [String] = []
        var rest = Substring(text)
        while let open = rest.range(of: "<\(name)>"),
            let close = rest.range(of: "</\(name)>", range: open.upperBound..<rest.endIndex)
        {
            values.append(unescaped(rest[open.upperBound..<close.lowerBound]))
            rest = rest[close.upperBound...]
        }
        return values
    }

    static func value(of name: String, in text: String) -> String? {
        values(of: name, in: text).first
    }

    private static func unescaped(_ text: Substring) -> String {
        // A listing of elements is unescaped once, when its innermost text is read.
        text.contains("<")
            ? String(text)
            : String(text).replacing("&quot;", with: "\"").replacing("&lt;", with: "<")
                .replacing("&gt;", with: ">").replacing("&#39;", with: "'")
                .replacing("&amp;", with: "&")
    }
}

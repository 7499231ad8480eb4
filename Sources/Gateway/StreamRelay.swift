import AsyncHTTPClient
import Captures
import FlywheelCore
import Foundation
import HTTPInterface
import HTTPTypes
import Hummingbird
import NIOCore

extension ChatRoute {
    /// An answer in pieces: each sent on as it comes, the last held until all is kept.
    func stream(
        _ call: Call, _ reply: UpstreamClient.Answer, _ body: HTTPClientResponse.Body,
        _ context: CallContext
    ) -> Response {
        var headers = call.headers()
        Self.pass(reply.headers, into: &headers)
        headers[.cacheControl] = "no-cache"
        let (pieces, out) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        let status = reply.status
        // A task of its own, so that a caller who hangs up between two pieces ends it.
        let relay = Task {
            var relay = StreamRelay(call: call, httpStatus: status.code, out: out)
            await relay.run(body, limit: configuration.limits.responseBytes, recorder)
            metrics.inFlightEnded()
        }
        let lifeline = Lifeline(relay)
        return Response(
            status: status, headers: headers,
            body: ResponseBody { writer in
                departures.watch(context.channel) { lifeline.relay.cancel() }
                defer { departures.forget(context.channel) }
                do {
                    for try await piece in pieces { try await writer.write(piece) }
                    await lifeline.relay.value
                    try await writer.finish(nil)
                } catch {
                    lifeline.relay.cancel()
                    await lifeline.relay.value
                    throw error
                }
            })
    }
}

/// Ends a relay whose reply nobody holds any more: a caller may be gone before the reply begins.
private final class Lifeline: Sendable {
    let relay: Task<Void, Never>

    init(_ relay: Task<Void, Never>) { self.relay = relay }

    deinit { relay.cancel() }
}

/// Relays one stream: takes the usage out that the caller did not ask for, puts the answer together,
/// and has it kept before the last event is passed on.
struct StreamRelay {
    private var call: Call
    private let httpStatus: Int
    private let out: AsyncThrowingStream<ByteBuffer, any Error>.Continuation
    private var splitter = EventSplitter()
    private var answer = StreamedAnswer()
    private var isKept = false

    init(
        call: Call, httpStatus: Int, out: AsyncThrowingStream<ByteBuffer, any Error>.Continuation
    ) {
        self.call = call
        self.httpStatus = httpStatus
        self.out = out
    }

    /// Returns when the stream has ended, however that is, and is kept.
    mutating func run(_ body: HTTPClientResponse.Body, limit: Int, _ recorder: Recorder) async {
        var bytes = 0
        do {
            var iterator = body.makeAsyncIterator()
            while true {
                let start = ContinuousClock.now
                let piece = try await iterator.next()
                call.waited += .now - start
                guard let piece else { break }
                bytes += piece.readableBytes
                guard bytes <= limit else { throw TooLong() }
                await take(piece, recorder)
            }
            await end(recorder)
        } catch {
            await breakOff(error, recorder)
        }
        out.finish()
    }

    private mutating func take(_ piece: ByteBuffer, _ recorder: Recorder) async {
        if call.firstByteAt == nil { call.firstByteAt = .now }
        let events = splitter.take(piece.readableBytesView)
        var passed: [UInt8] = []
        for event in events {
            if event.isDone, !isKept {
                send(&passed)
                for event in events.prefix(while: { !$0.isDone }) { keep(event) }
                await keep(recorder, isWhole: true)
            }
            passed += shown(event)
        }
        send(&passed)
        // The caller has its bytes; only now are they read.
        if !isKept { for event in events { keep(event) } }
    }

    private func send(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        out.yield(ByteBuffer(bytes: bytes))
        bytes = []
    }

    private mutating func keep(_ event: EventSplitter.Event) {
        guard let data = event.data, !event.isDone, !data.isEmpty else { return }
        answer.take(data)
    }

    /// What of `event` the caller sees: all of it, but for usage that they did not ask for.
    private func shown(_ event: EventSplitter.Event) -> [UInt8] {
        guard call.request.asksForUsage, let data = event.data,
            event.bytes.firstRange(of: Self.usage) != nil,
            let chunk = try? JSONObjectText(data), let usage = chunk["usage"]
        else { return event.bytes }
        if usage != .null, chunk["choices"]?.array?.isEmpty != false { return [] }
        guard let place = event.bytes.firstRange(of: data) else { return event.bytes }
        return event.bytes[..<place.lowerBound] + chunk.changing(Self.withoutUsage)
            + event.bytes[place.upperBound...]
    }

    private static let withoutUsage: [String: [UInt8]?] = ["usage": nil]
    private static let usage = Array("\"usage\"".utf8)

    /// The upstream has said all that it will.
    private mutating func end(_ recorder: Recorder) async {
        guard !isKept else { return }
        var rest = splitter.rest
        // An event whose blank line never came.
        for event in splitter.take(Array("\n\n".utf8)) { keep(event) }
        await keep(recorder, isWhole: answer.finishReason != nil)
        send(&rest)
    }

    /// The stream broke: of the upstream, or because the caller hung up.
    private mutating func breakOff(_ error: any Error, _ recorder: Recorder) async {
        guard !isKept else { return }
        let isCaller = Task.isCancelled || error is CancellationError
        let rest = splitter.rest
        let problem = isCaller ? "client_disconnected" : "upstream_broke_off"
        await keep(recorder, isWhole: false, error: problem)
        guard !isCaller else { return }
        let name = call.destination.upstream.name
        let told = APIError.upstream(
            .badGateway,
            "The answer of upstream `\(name)` broke off: \(UpstreamClient.reason(error)).",
            code: problem)
        var last = rest + "\(rest.isEmpty ? "" : "\n\n")data: \(told.json.canonical)\n\n".utf8
        send(&last)
    }

    private mutating func keep(_ recorder: Recorder, isWhole: Bool, error: String? = nil) async {
        isKept = true
        var ending = Ending(
            isWhole && answer.error == nil ? .ok : .partial, httpStatus: httpStatus,
            error: answer.error.map(Ending.code) ?? error)
        if httpStatus >= 300 { ending.status = .failed }
        ending.isStreamed = true
        ending.responseID = answer.id
        ending.finishReason = answer.finishReason
        ending.usage = Usage(answer.usage ?? .null)
        ending.response = answer.isEmpty ? nil : Array(answer.json.canonical.utf8)
        // In a task of its own: a caller who hangs up ends the relay, not what is kept of it.
        let call = call
        await Task { await recorder.record(call, ending) }.value
    }

    /// An upstream that never stops.
    struct TooLong: Error, CustomStringConvertible {
        var description: String { "it is longer than the gateway relays" }
    }
}

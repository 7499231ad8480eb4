import Captures
import FlywheelCore
import Testing

@Suite struct Answers {
    @Test(arguments: ["\n\n", "\r\n\r\n", "\r\r"])
    func `events are cut apart the same, wherever the pieces end`(blank: String) {
        let newline = String(blank.prefix(blank.count / 2))
        let stream = Array(
            (": hello" + blank + "event: x" + newline + "data: {\"a\":1}" + blank + "data:1"
                + newline
                + "data: 2" + blank + "data: [DONE]" + blank).utf8)
        for size in 1...stream.count {
            var splitter = EventSplitter()
            var events: [EventSplitter.Event] = []
            for start in Swift.stride(from: 0, to: stream.count, by: size) {
                events += splitter.take(stream[start..<min(start + size, stream.count)])
            }
            // Whether an LF follows a last CR only the next byte tells.
            events += splitter.take([UInt8(ascii: ":")])
            let data = events.map { $0.data.map { String(decoding: $0, as: UTF8.self) } }
            #expect(data == [nil, "{\"a\":1}", "1\n2", "[DONE]"], "pieces of \(size)")
            #expect(events.flatMap(\.bytes) == stream)
            #expect(events.last?.isDone == true)
        }
    }

    private func assembled(_ chunks: String...) -> StreamedAnswer {
        var answer = StreamedAnswer()
        for chunk in chunks { answer.take(Array(chunk.utf8)) }
        return answer
    }

    @Test func `a streamed answer is put together as if it had come in one piece`() throws {
        let answer = assembled(
            #"{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
            #"{"id":"c1","choices":[{"index":0,"delta":{"content":"Hel"},"logprobs":{"content":[{"token":"Hel","logprob":-0.5}]}},{"index":1,"delta":{"role":"assistant","content":"B"}}]}"#,
            #"{"id":"c1","choices":[{"index":0,"delta":{"content":"lo"},"logprobs":{"content":[{"token":"lo","logprob":-0.1}]},"finish_reason":"stop"}]}"#,
            #"{"id":"c1","choices":[{"index":1,"delta":{},"finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#,
            #"{"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#)
        let expected =
            #"{"id":"c1","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"logprobs":{"content":[{"token":"Hel","logprob":-0.5},{"token":"lo","logprob":-0.1}]},"finish_reason":"stop"},{"index":1,"message":{"role":"assistant","content":"B"},"finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#
        #expect(answer.json == (try JSONValue(parsing: expected.utf8)))
        #expect(answer.id == "c1" && answer.finishReason == "stop")
    }

    @Test func `pieces of tool calls come together, with their arguments as one string`() {
        let answer = assembled(
            #"{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"find","arguments":""}}]}}]}"#,
            #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}},{"index":1,"id":"t2","type":"function","function":{"name":"get","arguments":"{}"}}]}}]}"#,
            #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":"tool_calls"}]}"#
        )
        let calls = answer.json["choices"]?[0]?["message"]?["tool_calls"]
        #expect(
            calls?[0] == [
                "id": "t1", "type": "function",
                "function": ["name": "find", "arguments": #"{"a":1}"#],
            ])
        #expect(
            calls?[1] == [
                "id": "t2", "type": "function", "function": ["name": "get", "arguments": "{}"],
            ])
        #expect(answer.json["choices"]?[0]?["message"]?["content"] == JSONValue.null)
    }

    @Test func `what is no chunk is kept as text, and errors are seen`() {
        let answer = assembled("oops", #"{"error":{"message":"overloaded","code":"busy"}}"#)
        #expect(answer.json["unparsed"] == ["oops"])
        #expect(answer.error?["code"] == "busy")
        #expect(answer.finishReason == nil && !answer.isEmpty)
    }
}

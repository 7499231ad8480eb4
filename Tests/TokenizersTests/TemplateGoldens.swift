import FlywheelCore
import Foundation
import Testing
import Tokenizers

/// What transformers made of templates, recorded by `scripts/goldens/templates.py`.
enum TemplateGoldens {
    static let data = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]
    private static let folder =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().path + "/Goldens/templates"

    static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }

    static func text(named name: String) throws -> String { try text("\(folder)/\(name)") }

    static func lines(_ text: String) throws -> [JSONValue] {
        try text.utf8.split(separator: 0x0A).map { try JSONValue(parsing: $0) }
    }

    static func lines(named name: String) throws -> [JSONValue] {
        try lines(try text(named: name))
    }

    /// The special tokens of a template's family, as its tokenizer has them.
    static func specialTokens(of template: String) -> [String] {
        let families = [
            "llama3": [
                "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
                "<|python_tag|>",
            ],
            "gemma": ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"],
            "phi3": ["<s>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
            "qwen": ["<|im_start|>", "<|im_end|>", "<|endoftext|>"],
            "smollm3": ["<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|end_of_text|>"],
            "deepseek": [
                "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>",
                "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>",
                "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>", "<｜tool▁outputs▁begin｜>",
                "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>", "<｜tool▁outputs▁end｜>",
            ],
            "gptoss": [
                "<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>",
                "<|startoftext|>",
            ],
        ]
        return families.first { template.hasPrefix($0.key) }?.value ?? []
    }

    static let names = [
        "deepseekv3", "deepseekv3_training", "gemma", "gemma3", "gemma3_training", "gptoss",
        "llama3", "llama3_1", "llama3_2", "llama3_training", "phi3", "phi3_training", "qwen2_5",
        "qwen2_5_training", "qwen3", "qwen3_training", "smollm3",
    ]

    static let ends = [
        "llama3": ["<|eot_id|>"], "gemma": ["<end_of_turn>", "<eos>"],
        "phi3": ["<|end|>", "<|endoftext|>"], "qwen": ["<|im_end|>"], "smollm3": ["<|im_end|>"],
        "deepseek": ["<｜end▁of▁sentence｜>"], "gptoss": ["<|return|>", "<|call|>"],
    ]

    static func template(_ name: String, _ record: JSONValue? = nil) throws -> ChatTemplate {
        let special = specialTokens(of: name)
        let jinja = try text("\(data ?? "")/tokenizers/chat_templates/\(name).jinja")
        let known = [
            "<|begin_of_text|>", "<bos>", "<s>", "<｜begin▁of▁sentence｜>", "<|startoftext|>",
        ]
        let eos = [
            "<|eot_id|>", "<eos>", "<|endoftext|>", "<｜end▁of▁sentence｜>", "<|return|>",
            "<|im_end|>",
        ]
        var tokens: [String: String] = [:]
        if let record {
            tokens["bos_token"] = record["bos_token"]?.string
            tokens["eos_token"] = record["eos_token"]?.string
        } else {
            tokens["bos_token"] = name == "smollm3" ? nil : special.first { known.contains($0) }
            tokens["eos_token"] =
                ["qwen", "smol"].contains { name.hasPrefix($0) }
                ? "<|im_end|>" : special.first { eos.contains($0) }
        }
        return try ChatTemplate(
            jinja: jinja, title: "\(name).jinja", tokens: tokens, specialTokens: special)
    }

    static func conversation(
        _ name: String
    ) throws -> (messages: [ChatMessage], opensAnswer: Bool, tools: [JSONValue]) {
        let all = try JSONValue(parsing: try text(named: "conversations.json").utf8)
        let one = try #require(all[name])
        return (
            try messages(one["messages"]), one["opensAnswer"]?.boolean ?? false,
            one["tools"]?.array ?? []
        )
    }

    static func messages(_ value: JSONValue?) throws -> [ChatMessage] {
        try #require(value?.array).map { value in
            var message = ChatMessage(
                role: try #require(value["role"]?.string.flatMap { .init(rawValue: $0) }),
                content: try #require(value["content"]?.string))
            message.reasoning = value["reasoning_content"]?.string
            message.name = value["name"]?.string
            message.toolCallID = value["tool_call_id"]?.string
            message.toolCalls = try (value["tool_calls"]?.array ?? []).map { call in
                ChatMessage.ToolCall(
                    id: call["id"]?.string, name: try #require(call["function"]?["name"]?.string),
                    arguments: try #require(call["function"]?["arguments"]?.string))
            }
            return message
        }
    }
}

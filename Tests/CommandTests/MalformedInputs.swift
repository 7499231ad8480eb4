import Foundation

/// At least twenty mistakes of each kind of input.
enum MalformedInputs {
    static let specifications: [MalformedInput] = [
        .init("kind: train", "kind: trian", ":1: kind"),
        .init("kind: train\n", "", "kind"),
        .init("name: small", "name: [small]", ":2: name"),
        .init("name: small", "name: ../small", ":2: name"),
        .init("name: small\n", "", "name"),
        .init("name: small", "nmae: small", ":2: nmae"),
        .init("hidden: 16", "hidden: -16", ":3: model.new.hidden"),
        .init("hidden: 16", "hiden: 16", ":3: model.new.hiden"),
        .init(" heads: 2", " heads: 3", ":3: model.new"),
        .init("keyValueHeads: 1", "keyValueHeads: 3", ":3: model.new"),
        .init("architecture: llama", "architecture: mamba", ":3: model.new.architecture"),
        .init("vocabulary: 300", "vocabulary: many", ":4: model.new.vocabulary"),
        .init("data: rows@latest\n", "", "data"),
        .init("data: rows@latest", "data: roes@latest", ":5: data"),
        .init("data: rows@latest", "data: rows.jsonl", "rows.jsonl"),
        .init("steps: 2", "steps: 0", ":6: schedule.steps"),
        .init("steps: 2", "steps: 2, epochs: 1", ":6: schedule"),
        .init("0.001", "-1", ":6: schedule.learningRate"),
        .init("0.001", "fast", ":6: schedule.learningRate"),
        .init("drop", "shorten", ":7: overlong"),
        .init("overlong: drop\n", "", "overlong"),
        .init("drop", "drop\noverlong: drop", ":7: overlong"),
        .init("drop", "drop\nranks: {min: 3, max: 2}", ":8: ranks"),
        .init("drop", "drop\nbatch: {lanes: 3}", ":8: batch.lanes"),
        .init("drop", "drop\npriority: high", ":8: priority"),
        .init("drop", "drop\n\tpriority: 1", ":8"),
        .init("drop", "drop\nresolved: {data: {digest: x}}", ":8: resolved"),
    ]

    static let rows: [MalformedInput] = [
        .init("{\"messages\":[{\"role\":\"user\",\"content\":\"c\"}", "{\"messages\":", ":2"),
        second("7", ":2: "),
        second("{}", ":2: "),
        second("{\"messages\": []}", ":2: messages"),
        second("{\"messages\": 3}", ":2: messages"),
        second("{\"messages\": [3]}", ":2: messages[0]"),
        second(answer("{\"role\": \"asistant\", \"content\": \"d\"}"), ":2: messages[1].role"),
        second(answer("{\"content\": \"d\"}"), ":2: messages[1].role"),
        second(answer("{\"role\": 1, \"content\": \"d\"}"), ":2: messages[1].role"),
        second(answer("{\"role\": \"assistant\"}"), ":2: messages[1].content"),
        second(answer("{\"role\": \"assistant\", \"content\": 4}"), ":2: messages[1].content"),
        second(
            answer("{\"role\": \"assistant\", \"content\": [{\"type\": \"image_url\"}]}"),
            ":2: messages[1].content[0].type"),
        second(
            answer("{\"role\": \"assistant\", \"content\": \"d\", \"weight\": -1}"),
            ":2: messages[1].weight"),
        second(
            answer("{\"role\": \"user\", \"content\": \"d\", \"weight\": 1}"),
            ":2: messages[1].weight"),
        second(answer("{\"role\": \"user\", \"content\": \"d\"}"), ":2: messages[1].role"),
        second("{\"prompt\": \"c\", \"completion\": \"d\"}", ":2"),
        second("{\"text\": \"c\"}", ":2"),
        second("{\"messages\": [], \"messages\": []}", ":2"),
        second("{\"messages\": \"c\" \"d\"}", ":2"),
        second("{\"message\": []}", ":2"),
        second("{\"id\": [], \"messages\": []}", ":2: id"),
        second("{\"weight\": \"heavy\", \"messages\": []}", ":2: weight"),
        second("{\"messages\": [{\"role\": \"user\", \"content\": \"\\uD800\"}]}", ":2"),
        second("\u{1}", ":2"),
    ]

    /// A row in place of the second.
    private static func second(_ row: String, _ says: String) -> MalformedInput {
        .init(
            #"{"messages":[{"role":"user","content":"c"},{"role":"assistant","content":"d"}]}"#,
            row, says)
    }

    private static func answer(_ message: String) -> String {
        #"{"messages":[{"role":"user","content":"c"},"# + message + "]}"
    }

    // MARK: A model's files

    /// The good input of a table below.
    static func text(of name: String) throws -> String {
        switch name {
        case "config.json":
            try String(contentsOfFile: "\(ImportedModel.golden)/config.json", encoding: .utf8)
        case "tokenizer.json": tokenizer
        default: #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
        }
    }

    /// A safetensors file of `header` and the eight bytes of a tensor; the header's length is lied about
    /// where the header begins with a number.
    static func safetensors(_ header: String) -> [UInt8] {
        let claimed = header.prefix { $0.isNumber }
        let text = Array(header.dropFirst(claimed.count).utf8)
        let length = UInt64(claimed) ?? UInt64(text.count)
        let prefix = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        return prefix + text + [UInt8](repeating: 0, count: 8)
    }

    static let headers: [MalformedInput] = [
        .init("{\"w\"", "1099511627776{\"w\"", "1099511627776 bytes"),
        .init("{\"w\"", "18446744073709551615{\"w\"", "18446744073709551615 bytes"),
        .init("{\"w\"", "3{\"w\"", "model.safetensors"),
        .init("{\"w\"", "[\"w\"", "'{'"),
        .init("\"shape\":[2]", "\"shape\":", "model.safetensors:1"),
        .init("}}", "}} x", "model.safetensors:1"),
        .init("{\"w\"", "{\"__metadata__\":[],\"w\"", "__metadata__"),
        .init("{\"w\"", "{\"__metadata__\":{\"a\":1},\"w\"", "__metadata__.a"),
        .init(#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#, "[1]", ": w"),
        .init("\"dtype\":\"F32\",", "", "w.dtype"),
        .init("F32", "F8_E4M3", "w.dtype"),
        .init("\"F32\"", "32", "w.dtype"),
        .init("\"shape\":[2],", "", "w.shape"),
        .init("[2]", "2", "w.shape"),
        .init("[2]", "[-2]", "w.shape"),
        .init("[2]", "[2.5]", "w.shape"),
        .init("[2]", "[4294967296,4294967296]", "w.shape"),
        .init("[2]", "[3]", "w: "),
        .init(",\"data_offsets\":[0,8]", "", "w.data_offsets"),
        .init("[0,8]", "[0]", "w.data_offsets"),
        .init("[0,8]", "[8,0]", "w.data_offsets"),
        .init("[0,8]", "[0,16]", "w.data_offsets"),
        .init("[2],\"data_offsets\":[0,8]", "[1],\"data_offsets\":[0,4]", "4 bytes"),
        .init("]}}", "],\"strides\":[1]}}", "w.strides"),
        .init("}}", "},\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "w: "),
    ]

    static let configurations: [MalformedInput] = [
        .init("{", "", ":2"),
        .init("\"silu\",", "\"silu\"", ":15"),
        .init("\"llama\"", "\"mamba\"", ":20: model_type"),
        .init("\"llama\"", "\"llamma\"", ":20: model_type"),
        .init("  \"model_type\": \"llama\",\n", "", "model_type"),
        .init("LlamaForCausalLM", "LlamaForSequenceClassification", ": architectures"),
        .init("  \"hidden_size\": 32,\n", "", "hidden_size"),
        .init("\"hidden_size\": 32", "\"hidden_size\": \"32\"", ":15: hidden_size"),
        .init("\"hidden_size\": 32", "\"hidden_size\": 1e18", ":15: hidden_size"),
        .init("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 0", ":22: num_hidden_layers"),
        .init("\"num_attention_heads\": 4", "\"num_attention_heads\": 5", "num_"),
        .init("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", "num_key_value_heads"),
        .init("\"head_dim\": 8", "\"head_dim\": 7", ":13: head_dim"),
        .init("\"vocab_size\": 64", "\"vocab_size\": []", ": vocab_size"),
        .init("1e-05", "0", ": rms_norm_eps"),
        .init("10000.0", "-1", "rope_theta"),
        .init("\"rope_type\": \"default\"", "\"rope_type\": \"spiral\"", "rope_"),
        .init("\"silu\"", "\"swish2\"", ": hidden_act"),
        .init("\"attention_bias\": false", "\"attention_bias\": \"no\"", ": attention_bias"),
        .init("\"mlp_bias\": false", "\"mlp_bias\": 3", ": mlp_bias"),
        .init(
            "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": 1", "tie_word_embeddings"),
        .init("\"bos_token_id\": 1", "\"bos_token_id\": -1", ":7: bos_token_id"),
        .init("    3\n", "    \"end\"\n", "eos_token_id"),
        .init("\"float32\"", "\"int8\"", ":8: dtype"),
    ]

    /// The bytes, two merges and a special token.
    private static let tokenizer: String = {
        // The letters of bytes as GPT-2 writes them.
        let shown = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF)
        let hidden = (0...0xFF).filter { !shown.contains($0) }
        let letters = (shown + hidden.indices.map { 0x100 + $0 })
            .compactMap { Unicode.Scalar($0).map { Character($0) } }
        let vocabulary = letters.enumerated().map { id, letter in
            let name = letter == "\"" || letter == "\\" ? "\\\(letter)" : "\(letter)"
            return "\"\(name)\": \(id)"
        }
        return """
            {"version": "1.0",
            "added_tokens": [{"id": 258, "content": "<end>", "special": true}],
            "normalizer": null,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
            "post_processor": null,
            "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "vocab": {\(vocabulary.joined(separator: ", ")),
            "th": 256, "the": 257},
            "merges": ["t h", "th e"]}}
            """
    }()

    static let tokenizers: [MalformedInput] = [
        .init("{\"version\"", "\"version\"", "tokenizer.json:1"),
        .init("{\"version\": \"1.0\",", "{\"version\": \"1.0\"", "tokenizer.json:2"),
        .init("]}}", "]}", "tokenizer.json:9"),
        .init("\"type\": \"BPE\"", "\"type\": \"Unigram\"", "model.type"),
        .init("\"BPE\"", "7", "model.type"),
        .init("\"th\": 256", "\"th\": \"256\"", "model.vocab"),
        .init("\"th\": 256", "\"th\": -1", "model.vocab"),
        .init("\"th\": 256", "\"th\": 257", "model.vocab"),
        .init("\"the\": 257", "\"th\": 257", "model.vocab"),
        .init("\"BPE\"", "\"BPE\", \"unk_token\": \"zz\"", "model.unk_token"),
        .init("\"t h\"", "\"t\"", "model.merges[0]"),
        .init("\"t h\"", "[\"t\"]", "model.merges[0]"),
        .init("\"t h\"", "7", "model.merges[0]"),
        .init("\"th e\"", "\"th xyz\"", "model.merges[1]"),
        .init("\"th e\"", "\"th f\"", "model.merges[1]"),
        .init("[\"t h\", \"th e\"]", "{}", "model.merges"),
        .init(",\n\"merges\": [\"t h\", \"th e\"]", "", "model.merges"),
        .init("[{\"id\": 258,", "{\"id\": 258,", "tokenizer.json:2"),
        .init("\"id\": 258, ", "", "added_tokens[0].id"),
        .init("\"id\": 258", "\"id\": 97", "added_tokens[0].id"),
        .init(", \"content\": \"<end>\"", "", "added_tokens[0].content"),
        .init("\"special\": true", "\"special\": \"yes\"", "added_tokens[0].special"),
        .init("{\"type\": \"ByteLevel\", \"add", "{\"type\": 1, \"add", "pre_tokenizer"),
        .init("{\"type\": \"ByteLevel\", \"add", "{\"type\": \"BitLevel\", \"add", "pre_tokenizer"),
        .init("\"normalizer\": null", "\"normalizer\": {\"type\": \"Rot13\"}", "normalizer"),
        .init("\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": {\"type\": 1}", "decoder"),
        .init("\"post_processor\": null", "\"post_processor\": {\"type\": \"Bert\"}", "post"),
    ]
}

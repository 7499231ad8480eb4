import Foundation

/// What a linear model makes of the demo's task: scikit-learn's SVM on TF-IDF of words and their pairs.
///
/// It is the number that a student must be worth its cost against. It is really run where there is a
/// Python with scikit-learn, and otherwise absent.
struct LinearBaseline {
    /// The share of golden rows that it names right.
    var accuracy: Double
    /// How long reading, learning and answering took.
    var seconds: Double

    /// Learns from the rows of one JSONL file and answers those of another; nil where it cannot run.
    static func run(training: String, golden: String) -> Self? {
        guard let python = Programs.path(of: "python3"),
            let printed = Programs.output(of: python, ["-c", program, training, golden])
        else { return nil }
        let numbers = printed.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        guard numbers.count == 2 else { return nil }
        return Self(accuracy: numbers[0], seconds: numbers[1])
    }

    private static let program = """
        import json, sys, time
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import LinearSVC
        began = time.monotonic()
        def rows(path):
            turns = [json.loads(line)["messages"] for line in open(path, encoding="utf-8")]
            return [t[0]["content"] for t in turns], [t[1]["content"] for t in turns]
        (texts, labels), (asked, wanted) = map(rows, sys.argv[1:])
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        given = make_pipeline(words, LinearSVC()).fit(texts, labels).predict(asked)
        print(sum(a == b for a, b in zip(given, wanted)) / len(wanted), time.monotonic() - began)
        """
}

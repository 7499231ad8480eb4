public import Tensors

/// Who takes the gradient of a row, tensor by tensor, in no order that means anything.
public protocol GradientSink: AnyObject {
    /// Takes the gradient of the parameters that begin at `offset`, all of its rows without gaps.
    func add(_ gradient: Tensor, at offset: Int)
}

/// Where gradients lie while a row is differentiated.
///
/// A projection's is complete when it is written, and is taken at once: one room serves them all, and
/// what is taken is still in the cache. What is added to (norms, biases, the embedding and a head of
/// its own) has room for the whole row.
struct GradientRoom {
    private let shared: ArenaPlan.Place
    /// By a parameter's offset.
    private let kept: [Int: ArenaPlan.Place]
    private let arena: Arena

    init(_ layout: ParameterLayout) {
        let plan = Plan(layout)
        (shared, kept) = (plan.shared, plan.kept)
        arena = Arena(plan.arena)
    }

    /// `weights`, whose gradients lie here, all of them 0, and go to `sink`.
    func open(_ weights: TransformerTensors, for sink: any GradientSink) -> TransformerTensors {
        var copy = weights
        copy.visit { parameter in
            if let place = kept[parameter.offset] {
                parameter.gradient = view(place, parameter.values)
                parameter.gradient?.clear()
            } else {
                parameter.gradient = view(shared, parameter.values)
                parameter.sink = sink
            }
        }
        return copy
    }

    /// Hands over what was kept, once each.
    func close(_ weights: TransformerTensors, for sink: any GradientSink) {
        var (copy, seen) = (weights, Set<Int>())
        copy.visit { parameter in
            guard let gradient = parameter.gradient, parameter.sink == nil,
                seen.insert(parameter.offset).inserted
            else { return }
            sink.add(gradient, at: parameter.offset)
        }
    }

    private func view(_ place: ArenaPlan.Place, _ values: Tensor) -> Tensor {
        unsafe Tensor(arena[place].values, rows: values.rows, columns: values.columns)
    }

    struct Plan {
        var arena = ArenaPlan()
        let shared: ArenaPlan.Place
        let kept: [Int: ArenaPlan.Place]

        init(_ layout: ParameterLayout) {
            var (arena, kept, largest) = (ArenaPlan(), [Int: ArenaPlan.Place](), 1)
            for entry in layout.entries {
                if entry.role == .matrix, !entry.isWhole {
                    largest = max(largest, entry.count)
                } else {
                    kept[entry.offset] = arena.add(rows: 1, columns: entry.count)
                }
            }
            shared = arena.add(rows: 1, columns: largest)
            (self.arena, self.kept) = (arena, kept)
        }
    }
}

extension ParameterLayout.Entry {
    /// Whether its gradient is added to throughout a row.
    fileprivate var isWhole: Bool {
        name == TensorName.embedding.weight || name == TensorName.head.weight
    }
}

extension ParameterLayout {
    /// Bytes in which one thread keeps gradients while it differentiates a row.
    public var gradientBytes: Int {
        GradientRoom.Plan(self).arena.count * MemoryLayout<Float>.stride
    }
}

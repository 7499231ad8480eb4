import CKernels

extension AttentionShape {
    /// Columns of a cache row that holds `tokens` tokens.
    public func cacheColumns(tokens: Int) -> Int {
        (tokens + Int(ATTENTION_BLOCK) - 1) / Int(ATTENTION_BLOCK)
            * attention_block_size(headDimension)
    }

    /// Elements of scratch that the gradient of a document of `tokens` tokens takes.
    public func scratchCount(tokens: Int) -> Int {
        attention_scratch_size(tokens, group, headDimension)
    }

    /// As the kernels have it, for which a window that ends nowhere is the largest number.
    fileprivate var windowCount: Int { window ?? Int(bitPattern: UInt.max) }

    /// The largest head that the kernels take.
    public static var headDimensionMax: Int { Int(ATTENTION_HEAD_MAX) }
}

extension CPUOperations {
    public func store(
        _ cache: Tensor, keys: Tensor, values: Tensor, first: Int, shape: AttentionShape
    ) {
        let dimension = shape.headDimension
        precondition(cache.rows == shape.keyValueHeads && keys.stride == values.stride)
        precondition(cache.columns >= shape.cacheColumns(tokens: first + keys.rows))
        for head in 0..<shape.keyValueHeads {
            unsafe attention_pack_ND(
                cache.values + head * cache.stride, keys.values + head * dimension,
                values.values + head * dimension, keys.stride, first, keys.rows, dimension)
        }
    }

    public func attend(
        _ output: Tensor, logSumExp: Tensor, queries: Tensor, cache: Tensor, first: Int,
        shape: AttentionShape
    ) {
        let (dimension, group) = (shape.headDimension, shape.group)
        precondition(cache.columns >= shape.cacheColumns(tokens: first + queries.rows))
        precondition(output.rows == queries.rows && logSumExp.rows == queries.rows)
        for head in 0..<shape.keyValueHeads {
            let column = head * group * dimension
            unsafe attention_forward_NGD(
                output.values + column, output.stride, logSumExp.values + head * group,
                logSumExp.stride, queries.values + column, queries.stride,
                cache.values + head * cache.stride, shape.scale, shape.cap ?? 0,
                shape.windowCount, first, queries.rows, group, dimension)
        }
    }

    public func attendGradient(
        _ gradient: ProjectedHeads, _ doutput: Tensor, of input: ProjectedHeads, output: Tensor,
        logSumExp: Tensor, scratch: Tensor, shape: AttentionShape
    ) {
        let (dimension, group, rows) = (shape.headDimension, shape.group, output.rows)
        precondition(scratch.columns >= shape.scratchCount(tokens: rows))
        precondition(doutput.rows == rows && doutput.stride == output.stride)
        precondition(
            gradient.queries.stride == gradient.keys.stride
                && gradient.keys.stride == gradient.values.stride
                && input.queries.stride == input.keys.stride
                && input.keys.stride == input.values.stride)
        for head in 0..<shape.keyValueHeads {
            let (column, own) = (head * group * dimension, head * dimension)
            unsafe attention_backward_NGD(
                gradient.queries.values + column, gradient.keys.values + own,
                gradient.values.values + own, gradient.keys.stride, input.queries.values + column,
                input.keys.values + own, input.values.values + own, input.keys.stride,
                output.values + column, doutput.values + column, output.stride,
                logSumExp.values + head * group, logSumExp.stride, scratch.values, shape.scale,
                shape.cap ?? 0, shape.windowCount, rows, group, dimension)
        }
    }
}

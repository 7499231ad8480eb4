import CKernels

extension CPUOperations {
    public func gatedActivation(
        _ h: Tensor, gate: Tensor, up: Tensor, _ activation: Activation
    ) {
        precondition(gate.stride == up.stride && h.rows == gate.rows && h.columns == gate.columns)
        let kernel =
            switch activation {
            case .silu: unsafe swiglu_forward_TI
            case .gelu: unsafe geglu_forward_TI
            }
        unsafe kernel(
            h.values, h.stride, gate.values, up.values, gate.stride, h.rows, h.columns)
    }

    public func gatedActivationGradient(
        gate: Tensor, up: Tensor, _ dh: Tensor, _ activation: Activation
    ) {
        precondition(gate.stride == up.stride && dh.rows == gate.rows && dh.columns == gate.columns)
        let kernel =
            switch activation {
            case .silu: unsafe swiglu_backward_TI
            case .gelu: unsafe geglu_backward_TI
            }
        unsafe kernel(
            gate.values, up.values, gate.stride, dh.values, dh.stride, dh.rows, dh.columns)
    }

    public func softcap(_ x: Tensor, cap: Float) {
        unsafe softcap_forward_TD(x.values, x.stride, cap, x.rows, x.columns)
    }

    public func softcapGradient(_ dx: Tensor, _ y: Tensor, cap: Float) {
        precondition(dx.rows == y.rows && dx.columns == y.columns)
        unsafe softcap_backward_TD(
            dx.values, dx.stride, y.values, y.stride, cap, y.rows, y.columns)
    }

    public func add(_ y: Tensor, _ x: Tensor) {
        precondition(y.rows == x.rows && y.columns == x.columns)
        unsafe add_rows_TD(y.values, y.stride, x.values, x.stride, y.rows, y.columns)
    }

    public func addRow(_ y: Tensor, _ row: Tensor) {
        precondition(row.rows == 1 && y.columns == row.columns)
        unsafe add_rows_TD(y.values, y.stride, row.values, 0, y.rows, y.columns)
    }

    public func addColumnSums(_ sums: Tensor, _ x: Tensor) {
        precondition(sums.rows == 1 && sums.columns == x.columns)
        unsafe add_columns_TD(sums.values, x.values, x.stride, x.rows, x.columns)
    }

    public func scale(_ x: Tensor, by factor: Float) {
        unsafe scale_rows_TD(x.values, x.stride, factor, x.rows, x.columns)
    }
}

import Collectives
import Testing

@Suite struct `A world of threads` {
    @Test(arguments: [1, 2, 3, 8])
    func `gives every rank the same sum`(ranks: Int) throws {
        let sums = try ThreadWorld.run(ranks: ranks) { world in
            var values: [Int64] = [Int64(world.rank), 1, .max / 16, -5]
            for _ in 0..<3 {
                try unsafe values.withUnsafeMutableBufferPointer {
                    try unsafe world.allreduceSum($0)
                }
                values[0] = Int64(world.rank)
                values[2] = .max / 16
            }
            try unsafe values.withUnsafeMutableBufferPointer { try unsafe world.allreduceSum($0) }
            return values
        }
        let n = Int64(ranks)
        let power = n * n * n * n
        #expect(sums.count == ranks)
        for sum in sums {
            #expect(sum == [n * (n - 1) / 2, power, .max / 16 * n, -5 * power])
        }
    }

    @Test func `broadcasts from any root and gathers in order of rank`() throws {
        let results = try ThreadWorld.run(ranks: 4) { world in
            let mine = [UInt8](repeating: UInt8(world.rank), count: world.rank + 1)
            let heard = try world.broadcast(mine, from: 2)
            try world.barrier()
            return (heard, try world.gather(mine))
        }
        for (rank, result) in results.enumerated() {
            #expect(result.0 == [2, 2, 2])
            #expect(result.1 == (rank == 0 ? [[0], [1, 1], [2, 2, 2], [3, 3, 3, 3]] : []))
        }
    }

    private struct Slip: Error {}

    @Test func `ends for all when one rank throws`() {
        #expect(throws: Slip.self) {
            try ThreadWorld.run(ranks: 3) { world in
                if world.rank == 1 { throw Slip() }
                try world.barrier()
            }
        }
    }

    @Test func `of one rank changes nothing`() {
        let world = SoloWorld()
        #expect(world.broadcast([1, 2], from: 0) == [1, 2])
        #expect(world.gather([3]) == [[3]])
    }
}

import Jobs

// MARK: Workers

extension Simulation {
    /// A new life: what the one before ran is dead.
    mutating func begin(worker index: Int) {
        endProcesses(of: index)
        workers[index] = Worker(
            life: workers[index].life + 1, incarnation: workers[index].incarnation)
        register(index, workers[index].life)
    }

    mutating func register(_ index: Int, _ life: Int) {
        // One that was asked for and not answered may live in the store: each try is another life.
        if store.plant != .freshIncarnation || workers[index].incarnation == 0 {
            lastIncarnation += 1
            workers[index].incarnation = lastIncarnation
        }
        let (asked, incarnation) = (now, workers[index].incarnation)
        patient(
            index,
            while: { store in
                store.earlier(index, than: incarnation).contains { store.isLocked($0) }
            },
            { $0.register(incarnation, node: index, at: $1) }
        ) { world, answer in
            world.wake(worker: index, life) { world in
                guard answer != nil else {
                    return world.after(200..<600) { $0.register(index, life) }
                }
                world.workers[index].keeper = LeaseKeeper(
                    span: .milliseconds(SimulatedStore.grant - Self.margin),
                    askedAt: world.instant(asked))
                world.watch(index, life)
                world.renew(index, life)
            }
        }
    }

    /// The thread that stops everything when trust ends.
    mutating func watch(_ index: Int, _ life: Int) {
        after(200..<300) { world in world.wake(worker: index, life) { $0.watch(index, life) } }
    }

    mutating func renew(_ index: Int, _ life: Int) {
        let (asked, incarnation) = (now, workers[index].incarnation)
        transaction(index, { $0.renew(incarnation, at: $1) }) { world, answer in
            world.wake(worker: index, life) { world in
                guard let answer else {
                    return world.after(200..<600) { $0.wakeRenew(index, life) }
                }
                guard let renewal = answer else { return world.begin(worker: index) }
                let sent = world.instant(asked)
                world.workers[index].keeper?.renewed(askedAt: sent)
                for fence in world.workers[index].processes.keys.sorted()
                where !renewal.held.contains(fence) {
                    world.kill(fence, on: index)
                }
                for assignment in renewal.assigned { world.take(assignment, on: index, life) }
                world.claim(index, life)
                world.after(800..<4_000) { $0.wakeRenew(index, life) }
            }
        }
    }

    mutating func wakeRenew(_ index: Int, _ life: Int) {
        wake(worker: index, life) { $0.renew(index, life) }
    }

    mutating func claim(_ index: Int, _ life: Int) {
        let incarnation = workers[index].incarnation
        transaction(index, { $0.claim(for: incarnation, atMost: 2, at: $1) }) { world, claimed in
            world.wake(worker: index, life) { world in
                for assignment in claimed ?? [] { world.take(assignment, on: index, life) }
            }
        }
    }

    mutating func take(_ assignment: SimulatedStore.Assignment, on index: Int, _ life: Int) {
        let fence = assignment.fence
        guard workers[index].processes[fence] == nil else { return }
        let incarnation = workers[index].incarnation
        workers[index].processes[fence] = Process(
            job: assignment.job, isLeader: assignment.isLeader, step: assignment.step,
            steps: assignment.steps)
        transaction(index, { store, _ in store.ready(fence, incarnation) }) { world, isHeld in
            world.wake(worker: index, life) { world in
                switch isHeld {
                case nil:
                    // It is told again with the next renewal.
                    world.workers[index].processes[fence] = nil
                case false?: world.kill(fence, on: index)
                case true?: if assignment.isLeader { world.launch(fence, on: index, life) }
                }
            }
        }
    }

    mutating func launch(_ fence: Int, on index: Int, _ life: Int) {
        guard workers[index].processes[fence] != nil else { return }
        transaction(index, { store, _ in store.start(fence) }) { world, answer in
            world.wake(worker: index, life) { world in
                switch answer {
                case .some(.some(true)): world.step(fence, on: index, life)
                case .some(.none): world.kill(fence, on: index)
                default:
                    world.after(100..<500) { world in
                        world.wake(worker: index, life) { $0.launch(fence, on: index, life) }
                    }
                }
            }
        }
    }

    mutating func step(_ fence: Int, on index: Int, _ life: Int) {
        after(20..<300) { world in
            world.wake(worker: index, life) { world in
                guard var process = world.workers[index].processes[fence] else { return }
                process.step += 1
                world.workers[index].processes[fence] = process
                world.write(process, fence, on: index, life)
            }
        }
    }

    /// A step's row, in a transaction that takes its time; then the next, or the end.
    mutating func write(_ process: Process, _ fence: Int, on index: Int, _ life: Int) {
        let isCheckpoint = process.step % 3 == 0
        ask(
            index,
            { world, answer in
                guard world.store.begin(process.job, fence) else { return answer(&world, false) }
                world.after(0..<40) { world in
                    world.store.commit(
                        process.job, fence, step: process.step, isCheckpoint: isCheckpoint)
                    answer(&world, true)
                }
            }
        ) { (world: inout Simulation, isHeld: Bool?) in
            world.wake(worker: index, life) { world in
                guard world.workers[index].processes[fence] != nil else { return }
                switch isHeld {
                case nil: world.write(process, fence, on: index, life)
                case false?: world.kill(fence, on: index)
                case true? where process.step >= process.steps:
                    world.finish(process.job, fence, on: index, life)
                case true?: world.step(fence, on: index, life)
                }
            }
        }
    }

    mutating func finish(_ job: Int, _ fence: Int, on index: Int, _ life: Int) {
        patient(index, while: { $0.isLocked(job: job) }, { store, _ in store.finish(job, fence) }) {
            world, answer in
            world.wake(worker: index, life) { world in
                guard world.workers[index].processes[fence] != nil else { return }
                if answer == nil { return world.finish(job, fence, on: index, life) }
                world.workers[index].processes[fence] = nil
            }
        }
    }

    // MARK: Processes

    /// A part of a gang ends, and with it, a moment later, the gang: its leader says that it was lost.
    mutating func kill(_ fence: Int, on index: Int) {
        guard workers[index].processes.removeValue(forKey: fence) != nil else { return }
        after(100..<1_000) { world in
            for other in world.workers.indices
            where world.workers[other].processes[fence]?.isLeader == true {
                let life = world.workers[other].life
                world.wake(worker: other, life) { world in
                    guard let process = world.workers[other].processes.removeValue(forKey: fence)
                    else { return }
                    world.tell(loss: process.job, fence, on: other, life)
                }
            }
        }
    }

    mutating func tell(loss job: Int, _ fence: Int, on index: Int, _ life: Int) {
        patient(index, while: { $0.isLocked(job: job) }, { store, _ in store.lose(job, fence) }) {
            world, answer in
            world.wake(worker: index, life) { world in
                if answer == nil { world.tell(loss: job, fence, on: index, life) }
            }
        }
    }

    mutating func endProcesses(of index: Int) {
        for fence in workers[index].processes.keys.sorted() { kill(fence, on: index) }
    }
}

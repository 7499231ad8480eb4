"""Runs `flywheel bench queue`, PgQueuer and Procrastinate in turns on one server; medians and ratios.

PgQueuer is measured twice: by its manager, which is how it runs jobs, and by its bare statements, which is what
its database could do for a program that is no Python. Procrastinate has no batches of its own for fetching and
finishing jobs.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import subprocess
import time
import uuid
from datetime import timedelta


def processes(body, clients, *arguments):
    """Runs `body` in so many processes that begin together; seconds from the first begin to the last end."""
    barrier, results = multiprocessing.Barrier(clients), multiprocessing.Queue()

    def child(index):
        async def main():
            ready = await body(None, index, *arguments)
            barrier.wait()
            start = time.monotonic()
            await body(ready, index, *arguments)
            return start, time.monotonic()

        results.put(asyncio.run(main()))

    children = [multiprocessing.Process(target=child, args=(index,)) for index in range(clients)]
    for one in children:
        one.start()
    times = [results.get() for _ in children]
    for one in children:
        one.join()
    return max(end for _, end in times) - min(start for start, _ in times)


async def pgqueuer_queries(url):
    import asyncpg
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.queries import Queries

    return Queries(AsyncpgDriver(await asyncpg.connect(url)))


async def pgqueuer_enqueue(ready, index, url, count, batch):
    if ready is None:
        return await pgqueuer_queries(url)
    for start in range(0, count, batch):
        size = min(batch, count - start)
        await ready.enqueue(["bench"] * size, [b'{"index": 1}'] * size, [0] * size)


async def pgqueuer_statements(ready, index, url, batch):
    from pgqueuer.queries import EntrypointExecutionParameter

    if ready is None:
        return await pgqueuer_queries(url)
    what, me = {"bench": EntrypointExecutionParameter(concurrency_limit=0)}, uuid.uuid4()
    while jobs := await ready.dequeue(batch, what, me, None, timedelta(seconds=30)):
        await ready.log_jobs([(job, "successful", None) for job in jobs])


async def pgqueuer_manager(ready, index, url, batch):
    from pgqueuer.qm import QueueManager
    from pgqueuer.types import QueueExecutionMode

    if ready is None:
        return await pgqueuer_queries(url)
    manager = QueueManager(ready)

    @manager.entrypoint("bench")
    async def nothing(job):
        pass

    await manager.run(batch_size=batch, mode=QueueExecutionMode.drain)


def procrastinate_app(url):
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
    app.task(name="bench")(lambda index: None)
    return app


async def procrastinate_enqueue(ready, index, url, count, batch):
    if ready is None:
        return procrastinate_app(url)
    async with ready.open_async():
        task = ready.tasks["bench"]
        for start in range(0, count, batch):
            await task.batch_defer_async(*[{"index": 1}] * min(batch, count - start))


async def procrastinate_work(ready, index, url):
    if ready is None:
        return procrastinate_app(url)
    async with ready.open_async():
        await ready.run_worker_async(wait=False, concurrency=10, install_signal_handlers=False)


def database(socket, name, query):
    from psycopg import connect

    with connect(f"host={socket} user=bench dbname=postgres", autocommit=True) as connection:
        connection.execute(query.format(name=name))
    return f"postgresql://bench@/{name}?host={socket}"


def peers(options):
    url = database(options.socket, "pgqueuer", "CREATE DATABASE {name}")
    asyncio.run(install_pgqueuer(url))
    each, clients, batch = options.jobs // options.clients, options.clients, options.batch
    rates = {}
    taken = processes(pgqueuer_enqueue, clients, url, each, batch)
    rates["pgqueuer enqueue"] = each * clients / taken
    rates["pgqueuer work, by its manager"] = each * clients / processes(
        pgqueuer_manager, clients, url, batch
    )
    processes(pgqueuer_enqueue, clients, url, each, batch)
    rates["pgqueuer work, bare statements"] = each * clients / processes(
        pgqueuer_statements, clients, url, batch
    )
    database(options.socket, "pgqueuer", "DROP DATABASE {name} WITH (FORCE)")

    url = database(options.socket, "procrastinate", "CREATE DATABASE {name}")
    asyncio.run(install_procrastinate(url))
    fewer = max(each // 10, 1)
    taken = processes(procrastinate_enqueue, clients, url, fewer, batch)
    rates["procrastinate enqueue"] = fewer * clients / taken
    rates["procrastinate work"] = fewer * clients / processes(procrastinate_work, clients, url)
    database(options.socket, "procrastinate", "DROP DATABASE {name} WITH (FORCE)")
    return rates


async def install_pgqueuer(url):
    await (await pgqueuer_queries(url)).install()


async def install_procrastinate(url):
    app = procrastinate_app(url)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


def ours(options):
    call = [options.flywheel, "bench", "queue", "--json", "--server", f"host={options.socket} user=bench dbname=postgres"]
    for name in ["jobs", "batch", "clients", "finished", "forgotten"]:
        call += [f"--{name}", str(getattr(options, name))]
    found = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    rates = {"flywheel enqueue": found["submitted_per_second"], "flywheel work": found["worked_per_second"]}
    for name in ["pickup_p50", "pickup_p99", "flow_per_second", "flow_per_second_forgotten", "flow_kept"]:
        if name in found:
            rates["flywheel " + name] = found[name]
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--flywheel", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--finished", type=int, default=100_000)
    parser.add_argument("--forgotten", type=int, default=0)
    options = parser.parse_args()
    rounds = [ours(options) | peers(options) for _ in range(options.rounds)]
    medians = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    for name, value in medians.items():
        print(f"{name:36} {value:12,.2f}")
    for what, mine, other in [
        ("enqueue", "flywheel enqueue", "pgqueuer enqueue"),
        ("work, by its manager", "flywheel work", "pgqueuer work, by its manager"),
        ("work, bare statements", "flywheel work", "pgqueuer work, bare statements"),
    ]:
        ratio = statistics.median(r[mine] / r[other] for r in rounds)
        print(f"ratio to PgQueuer, {what:26} {ratio:6.2f}")


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    main()

"""The schedule's decisions, each in the smallest server that shows it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from wasm_grpc.core.model import EngineName, Runtime
from wasm_grpc.pool.registry import WorkerKind
from wasm_grpc.pool.schedule import (
    Action,
    Assign,
    FunctionPolicy,
    Pause,
    Resume,
    RetireWorker,
    Schedule,
    StartWorker,
)

WASMTIME = WorkerKind(Runtime(EngineName.WASMTIME, "python"))
WASMER = WorkerKind(Runtime(EngineName.WASMER, "python3.10"))


def policy(*, kind: WorkerKind = WASMTIME, at_most: int | None = 2, queue: int = 64) -> FunctionPolicy:
    """Return a function's policy."""
    return FunctionPolicy(kind=kind, max=at_most, queue=queue)


def ready_schedule(
    functions: Mapping[str, FunctionPolicy], *, slots: int = 2, max_workers: int = 8
) -> Schedule:
    """Return a schedule whose first workers are up, the longest idle first in number."""
    schedule = Schedule(functions, slots=slots, max_workers=max_workers, idle_s=5)
    for action in schedule.start():
        assert isinstance(action, StartWorker)
        assert schedule.worker_ready(action.worker, 0) == []
    return schedule


@pytest.mark.parametrize(
    ("slots", "max_workers", "workers"),
    [(1, 8, 2), (2, 8, 3), (4, 4, 4), (1, 1, 1)],
    ids=["one slot", "two slots", "no room for the spare", "one process"],
)
def test_a_worker_a_slot_and_a_spare(slots: int, max_workers: int, workers: int) -> None:
    """At the start there is a worker for each run slot and one spare, as far as processes are allowed."""
    schedule = Schedule({"f": policy()}, slots=slots, max_workers=max_workers)

    assert schedule.start() == [StartWorker(number, WASMTIME) for number in range(1, workers + 1)]


def test_each_runtime_has_a_worker() -> None:
    """The runtime of most functions has the workers of the slots, any other has one."""
    functions = {"a": policy(), "b": policy(), "c": policy(kind=WASMER)}
    schedule = Schedule(functions, slots=2, max_workers=8)

    assert schedule.start() == [
        StartWorker(1, WASMTIME),
        StartWorker(2, WASMTIME),
        StartWorker(3, WASMTIME),
        StartWorker(4, WASMER),
    ]


def test_a_server_without_functions_has_no_workers() -> None:
    """Where nothing is served nothing is started."""
    assert Schedule({}, slots=2, max_workers=8).start() == []


def test_the_last_worker_used_is_used_first() -> None:
    """A ticket goes to the worker that was used last, whose memory is warm."""
    schedule = ready_schedule({"f": policy()})

    assert schedule.submit(1, "f", 0) == [Assign(1, 3)]
    assert schedule.finished(3, 0) == []
    assert schedule.submit(2, "f", 0) == [Assign(2, 3)]


def test_a_ticket_waits_for_a_worker_that_starts() -> None:
    """A ticket is not reserved for a worker: whichever is up first takes it, and no further one is started."""
    schedule = Schedule({"f": policy()}, slots=2, max_workers=8)
    schedule.start()

    assert schedule.submit(1, "f", 0) == []
    assert schedule.worker_ready(2, 0) == [Assign(1, 2)]
    assert schedule.worker_ready(1, 0) == []


def test_no_more_than_the_function_may() -> None:
    """A function runs no more than its max, however many slots and workers are free."""
    schedule = ready_schedule({"f": policy(at_most=1)})

    assert schedule.submit(1, "f", 0) == [Assign(1, 3)]
    assert schedule.submit(2, "f", 0) == []
    assert schedule.finished(3, 0) == [Assign(2, 3)]


def test_no_more_than_the_slots() -> None:
    """Functions that already run don't run more than the slots together."""
    schedule = ready_schedule({"f": policy(at_most=9)})

    assert schedule.submit(1, "f", 0) == [Assign(1, 3)]
    assert schedule.submit(2, "f", 0) == [Assign(2, 2)]
    assert schedule.submit(3, "f", 0) == []


def test_a_function_with_nothing_running_goes_beyond_the_slots() -> None:
    """A flooded neighbour costs a share of a core, not a place in a queue."""
    schedule = ready_schedule({"flooded": policy(at_most=9), "calm": policy(), "third": policy()})
    for ticket in range(1, 20):
        schedule.submit(ticket, "flooded", 0)

    assert schedule.submit(20, "calm", 0) == [Assign(20, 1)]
    assert schedule.submit(21, "third", 0) == [StartWorker(4, WASMTIME)]
    assert schedule.worker_ready(4, 0) == [Assign(21, 4)]
    assert schedule.submit(22, "calm", 0) == []


def test_the_function_with_fewest_running_goes_first() -> None:
    """A slot that comes free goes to the function that runs least, then to the ticket that waits longest."""
    schedule = ready_schedule({"a": policy(at_most=9), "b": policy(at_most=9)}, slots=4)
    for ticket, name in enumerate("aaabaaab", start=1):
        schedule.submit(ticket, name, 0)

    assert schedule.finished(5, 0) == [Assign(8, 5)]
    assert schedule.finished(4, 0) == [Assign(5, 4)]


@pytest.mark.parametrize(
    ("at_most", "queue", "taken"),
    [(1, 0, 1), (1, 2, 3), (2, 3, 5)],
    ids=["no queue", "max 1", "max 2"],
)
def test_there_is_room_for_the_queue(at_most: int, queue: int, taken: int) -> None:
    """A function takes what it may run, and as many more as its queue is long."""
    schedule = ready_schedule({"f": policy(at_most=at_most, queue=queue)})
    tickets = 0

    while schedule.has_room("f"):
        tickets += 1
        schedule.submit(tickets, "f", 0)

    assert tickets == taken


def test_a_ticket_that_waits_can_be_withdrawn() -> None:
    """A withdrawn ticket is never run; one that runs can't be withdrawn."""
    schedule = ready_schedule({"f": policy(at_most=1)})
    schedule.submit(1, "f", 0)
    schedule.submit(2, "f", 0)

    assert schedule.withdraw(2)
    assert not schedule.withdraw(2)
    assert not schedule.withdraw(1)
    assert schedule.finished(3, 0) == []


def test_a_ticket_that_was_not_begun_goes_first() -> None:
    """A ticket whose worker was found dead is run before those that came after it."""
    schedule = ready_schedule({"f": policy(at_most=1)})
    schedule.submit(1, "f", 0)
    schedule.submit(2, "f", 0)
    schedule.submit(3, "f", 0)

    assert schedule.withdraw(2)
    assert schedule.worker_lost(3, 0) == [Assign(3, 2), StartWorker(4, WASMTIME)]
    assert schedule.run_again(1, "f", 0) == []
    assert schedule.finished(2, 0) == [Assign(1, 2)]


def test_a_lost_worker_is_replaced() -> None:
    """A worker that is gone, whatever it did, is made up for at once; its loss is told only once."""
    schedule = ready_schedule({"f": policy()})
    schedule.submit(1, "f", 0)

    assert schedule.worker_lost(3, 0) == [StartWorker(4, WASMTIME)]
    assert schedule.worker_lost(1, 0) == [StartWorker(5, WASMTIME)]
    assert schedule.worker_lost(3, 0) == []


def test_a_retiring_worker_is_replaced() -> None:
    """A worker that ends after its invocation takes no other, and is made up for."""
    schedule = ready_schedule({"f": policy()}, slots=1)
    schedule.submit(1, "f", 0)
    schedule.submit(2, "f", 0)

    assert schedule.finished(2, 0, retires=True) == [Assign(2, 1), StartWorker(3, WASMTIME)]
    assert schedule.worker_lost(2, 0) == []


def test_workers_that_fail_are_started_ever_more_slowly() -> None:
    """The first in a row is made up for at once. After each further one the pause is twice as long, up to 30 s."""
    schedule = Schedule({"f": policy()}, slots=1, max_workers=1)
    schedule.start()
    now_s, pauses = 0.0, []

    assert schedule.worker_lost(1, now_s, is_failure=True) == [StartWorker(2, WASMTIME)]
    for worker in range(2, 13):
        (pause,) = schedule.worker_lost(worker, now_s, is_failure=True)
        assert isinstance(pause, Pause)
        assert schedule.tick(now_s + pause.seconds - 0.01) == []
        now_s += pause.seconds
        assert schedule.tick(now_s) == [StartWorker(worker + 1, WASMTIME)]
        pauses.append(pause)

    seconds = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert pauses == [Pause(WASMTIME, pause_s, failures) for failures, pause_s in enumerate(seconds, 2)]


def test_workers_that_fail_together() -> None:
    """Those that were started before the last failure was noted are no further failures: no pause comes of them."""
    schedule = ready_schedule({"f": policy()}, slots=2)

    actions = [schedule.worker_lost(worker, 0, is_failure=True) for worker in (1, 2, 3)]

    assert actions == [[StartWorker(worker, WASMTIME)] for worker in (4, 5, 6)]


def test_a_worker_that_is_of_use_ends_a_row_of_failures() -> None:
    """After an answer the next failure is the first again."""
    schedule = Schedule({"f": policy()}, slots=1, max_workers=1)
    schedule.start()
    schedule.worker_lost(1, 0, is_failure=True)
    schedule.worker_ready(2, 0)
    schedule.submit(1, "f", 0)
    schedule.finished(2, 0)

    assert schedule.worker_lost(2, 0, is_failure=True) == [StartWorker(3, WASMTIME)]


def test_workers_beyond_the_floor_retire() -> None:
    """Workers that were idle for 5 s go, the longest idle first, but never below the floor."""
    functions = {name: policy() for name in "abcde"}
    schedule = ready_schedule(functions, slots=1)
    for ticket, name in enumerate(functions):
        schedule.submit(ticket, name, 0)
    for worker in (3, 4, 5):
        schedule.worker_ready(worker, 0)
    for now_s, worker in enumerate((5, 4, 3, 2, 1), start=1):
        schedule.finished(worker, now_s)

    assert schedule.tick(5.9) == []
    assert schedule.tick(7.0) == [RetireWorker(5), RetireWorker(4)]
    assert schedule.tick(8.0) == [RetireWorker(3)]
    assert schedule.tick(1000.0) == []


def test_an_idle_worker_makes_room_for_another_runtime() -> None:
    """Where processes are few, one that is idle goes for a function of another runtime."""
    schedule = Schedule({"a": policy(), "b": policy(kind=WASMER)}, slots=1, max_workers=2)
    assert schedule.start() == [StartWorker(1, WASMTIME), StartWorker(2, WASMTIME)]
    schedule.worker_ready(1, 0)
    schedule.worker_ready(2, 0)

    assert schedule.submit(1, "b", 0) == [RetireWorker(1), StartWorker(3, WASMER)]
    assert schedule.worker_ready(3, 0) == [Assign(1, 3)]


def test_a_function_of_a_rare_runtime_waits_for_no_flood_to_end() -> None:
    """With one process, two flooded functions of two runtimes take turns."""
    schedule = Schedule({"a": policy(), "b": policy(kind=WASMER)}, slots=1, max_workers=1)
    schedule.start()
    for ticket in range(1, 7):
        schedule.submit(ticket, "ab"[ticket % 2], 0)
    served = []
    actions = schedule.worker_ready(1, 0)
    while actions:
        for action in actions:
            if isinstance(action, Assign):
                served.append(action.ticket)
                actions = schedule.finished(action.worker, 0)
            elif isinstance(action, StartWorker):
                actions = schedule.worker_ready(action.worker, 0)

    assert served == [1, 2, 3, 4, 5, 6]


def test_no_worker_goes_for_one_that_is_not_started() -> None:
    """While a broken runtime's pause lasts, no idle worker of another is stopped in vain."""
    schedule = Schedule({"a": policy(), "b": policy(kind=WASMER)}, slots=1, max_workers=2)
    schedule.start()
    schedule.worker_ready(1, 0)
    schedule.worker_ready(2, 0)
    assert schedule.submit(1, "b", 0) == [RetireWorker(1), StartWorker(3, WASMER)]

    assert schedule.worker_lost(3, 0, is_failure=True) == [StartWorker(4, WASMER)]
    assert schedule.worker_lost(4, 0, is_failure=True) == [Pause(WASMER, 0.1, 2), StartWorker(5, WASMTIME)]
    assert schedule.worker_ready(5, 0) == []
    assert schedule.tick(0.05) == []
    assert schedule.tick(0.1) == [RetireWorker(2), StartWorker(6, WASMER)]


def streaming_schedule(count: int, *, slots: int = 1, at_most: int | None = None) -> Schedule:
    """Return a schedule of the function f with so many streams, on the workers 1, 2, …, all waiting for peers."""
    schedule = Schedule({"f": policy(at_most=at_most)}, slots=slots, max_workers=8, idle_s=5)
    workers = [action.worker for action in schedule.start() if isinstance(action, StartWorker)]
    for ticket in range(1, count + 1):
        actions = schedule.submit(ticket, "f", 0, is_stream=True)
        workers += [action.worker for action in actions if isinstance(action, StartWorker)]
        for action in schedule.worker_ready(workers.pop(0), 0):
            assert isinstance(action, Assign)
            assert schedule.lend(action.worker, 0) == []
    return schedule


def test_a_lent_slot_is_anothers() -> None:
    """While a stream's guest waits for its peer, another function computes in its slot."""
    functions = {"f": policy(), "g": policy()}
    schedule = ready_schedule(functions, slots=1)
    assert schedule.submit(1, "f", 0, is_stream=True) == [Assign(1, 2)]
    assert schedule.submit(2, "g", 0) == [Assign(2, 1)], "nothing of it runs"
    assert schedule.submit(3, "g", 0) == []

    schedule.worker_lost(1, 0)
    assert schedule.worker_ready(3, 0) == [Assign(3, 3)]
    assert schedule.submit(4, "g", 0) == []
    assert schedule.lend(2, 0) == [], "its slot was taken beyond the slots"
    assert schedule.finished(3, 0) == [Assign(4, 3)]


def test_a_guest_that_resumes_waits_for_a_slot() -> None:
    """A stream goes on once there is a run slot again."""
    schedule = streaming_schedule(2)
    assert schedule.reclaim(1, 0) == [Resume(1)]
    assert schedule.reclaim(2, 0) == []

    assert schedule.lend(1, 0) == [Resume(2)]


def test_streams_that_resume_and_calls_take_turns() -> None:
    """Neither a crowd of streams nor one of calls keeps the other from the run slots."""
    schedule = streaming_schedule(4)
    schedule.tick(0)
    schedule.worker_ready(6, 0)
    assert schedule.reclaim(1, 0) == [Resume(1)]
    for worker in (2, 3, 4):
        assert schedule.reclaim(worker, 0) == []
    for ticket in (11, 12):
        assert schedule.submit(ticket, "f", 0) == []

    assert schedule.lend(1, 0) == [Assign(11, 6)]
    assert schedule.finished(6, 0) == [Resume(2)]
    assert schedule.lend(2, 0) == [Assign(12, 6)]
    assert schedule.finished(6, 0) == [Resume(3)]
    assert schedule.lend(3, 0) == [Resume(4)]


def test_streams_leave_a_process_a_slot() -> None:
    """However many streams there are, calls find as many processes as there are run slots."""
    schedule = streaming_schedule(6, slots=2)

    assert schedule.submit(7, "f", 0, is_stream=True) == []
    assert schedule.submit(8, "f", 0) == [StartWorker(7, WASMTIME)]
    assert schedule.worker_ready(7, 0) == [Assign(8, 7)]


def test_guests_that_wait_leave_processes_to_other_functions() -> None:
    """Dapr may hang: a function that calls it gets all processes but one for each slot, as streams do."""
    schedule = ready_schedule(
        {"slow": policy(at_most=None), "other": policy(at_most=None)}, slots=1, max_workers=4
    )
    assigned: dict[int, int] = {}

    def perform(actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Assign):
                assigned[action.ticket] = action.worker
            elif isinstance(action, StartWorker):
                perform(schedule.worker_ready(action.worker, 0))

    for ticket in range(1, 6):
        perform(schedule.submit(ticket, "slow", 0))
        if ticket in assigned:
            perform(schedule.lend(assigned[ticket], 0))
    assert list(assigned) == [1, 2, 3]

    perform(schedule.submit(6, "other", 0))
    assert list(assigned) == [1, 2, 3, 6]

    perform(schedule.finished(assigned[6], 0))
    assert list(assigned) == [1, 2, 3, 6]
    perform(schedule.finished(assigned[1], 0))
    assert list(assigned) == [1, 2, 3, 6, 4]


def test_processes_of_a_chain_make_room_for_another_runtime() -> None:
    """A chain of calls had a process beyond the limit, so two that are idle end before another starts."""
    functions = {"a": policy(), "b": policy(), "c": policy(), "other": policy(kind=WASMER)}
    schedule = ready_schedule(functions, slots=1, max_workers=3)
    assert schedule.submit(1, "a", 0) == [Assign(1, 2)]
    schedule.lend(2, 0)
    assert schedule.submit(2, "other", 0, depth=1) == [Assign(2, 3)]
    schedule.lend(3, 0)
    assert schedule.submit(3, "other", 0, depth=2) == [StartWorker(4, WASMER)]
    assert schedule.worker_ready(4, 0) == [Assign(3, 4)]
    for worker in (4, 3, 2):
        assert schedule.finished(worker, 0) == []
    assert schedule.submit(4, "a", 0) == [Assign(4, 2)]
    assert schedule.submit(5, "b", 0) == [Assign(5, 1)]

    assert schedule.submit(6, "c", 0) == [RetireWorker(4), RetireWorker(3), StartWorker(5, WASMTIME)]


def test_streams_wait_in_a_queue_of_their_own() -> None:
    """Streams that wait for processes keep no call out of the queue."""
    schedule = Schedule({"f": policy(at_most=1, queue=1)}, slots=1, max_workers=2)
    schedule.start()
    assert schedule.worker_ready(1, 0) == []
    assert schedule.submit(1, "f", 0, is_stream=True) == [Assign(1, 1)]
    assert schedule.submit(2, "f", 0, is_stream=True) == []

    assert not schedule.has_room("f", is_stream=True)
    assert schedule.has_room("f")


def test_streams_that_must_wait_take_no_process_from_others() -> None:
    """A function with nothing running gets a process for its stream, whoever's streams wait for a slot."""
    schedule = ready_schedule({name: policy(at_most=4) for name in "fgh"}, slots=1, max_workers=3)
    assert schedule.submit(1, "f", 0) == [Assign(1, 2)]
    for ticket in (2, 3):
        assert schedule.submit(ticket, "f", 0, is_stream=True) == []
    assert schedule.submit(4, "g", 0, is_stream=True) == [Assign(4, 1)]

    assert schedule.submit(5, "h", 0, is_stream=True) == [StartWorker(3, WASMTIME)]
    assert schedule.worker_ready(3, 0) == [Assign(5, 3)]


def test_a_max_of_its_own_counts_streams_that_wait() -> None:
    """``pool.max`` is of invocations, those that wait for their peers among them."""
    schedule = streaming_schedule(2, at_most=2)
    schedule.tick(0)
    schedule.worker_ready(4, 0)

    assert schedule.submit(3, "f", 0) == []
    assert schedule.finished(1, 0) == [Assign(3, 1)]


def test_a_spare_is_kept_beside_streams() -> None:
    """Workers whose streams wait for their peers are made up for, so that a call finds one."""
    schedule = streaming_schedule(3)

    assert [action for action in schedule.tick(1) if isinstance(action, StartWorker)] == [
        StartWorker(4, WASMTIME),
        StartWorker(5, WASMTIME),
    ]


def test_a_stream_may_end_while_its_slot_is_lent() -> None:
    """A worker whose stream ends is free, whether it has its slot, waits for it, or has lent it."""
    schedule = streaming_schedule(3)
    assert schedule.reclaim(1, 0) == [Resume(1)]
    assert schedule.reclaim(2, 0) == []

    for worker in (2, 3, 1):
        assert schedule.finished(worker, 0) == []

    assert repr(schedule) == "<Schedule 0 busy, 0 lent, 3 idle, 0 starting, 0 waiting>"


def test_its_text_counts() -> None:
    """A log line of a schedule says what it has."""
    schedule = ready_schedule({"f": policy(at_most=1)})
    schedule.submit(1, "f", 0)
    schedule.submit(2, "f", 0)

    assert repr(schedule) == "<Schedule 1 busy, 0 lent, 2 idle, 0 starting, 1 waiting>"


BRINGS_MODELS = WorkerKind(WASMTIME.runtime, "brings-models", is_exclusive=True)


def test_a_kind_of_its_own_has_one_worker() -> None:
    """A function that shares no worker has one ready, after those of the others."""
    functions = {"own": policy(kind=BRINGS_MODELS), "f": policy()}
    schedule = Schedule(functions, slots=2, max_workers=8)

    assert schedule.start() == [
        *(StartWorker(number, WASMTIME) for number in (1, 2, 3)),
        StartWorker(4, BRINGS_MODELS),
    ]


def test_kinds_of_their_own_take_no_process_from_others() -> None:
    """Where processes are few, functions that share no worker get theirs on demand."""
    functions = {"own": policy(kind=BRINGS_MODELS), "f": policy()}
    schedule = ready_schedule(functions, slots=1, max_workers=2)

    assert schedule.submit(1, "own", 0) == [RetireWorker(1), StartWorker(3, BRINGS_MODELS)]


def test_functions_that_share_no_worker_come_after_those_that_do() -> None:
    """The slots and a spare are for the workers that most functions share, one is for each other function."""
    kinds = [WorkerKind(WASMTIME.runtime, name) for name in ("one", "two", "three")]
    functions = {kind.function: policy(kind=kind) for kind in kinds}
    schedule = Schedule({**functions, "f": policy()}, slots=1, max_workers=4)

    assert schedule.start() == [
        StartWorker(1, WASMTIME),
        StartWorker(2, WASMTIME),
        StartWorker(3, kinds[0]),
        StartWorker(4, kinds[1]),
    ]


def test_a_function_alone_on_its_kind_has_the_slots() -> None:
    """A server of nothing else keeps a worker a slot and a spare for it, since each serves once."""
    schedule = Schedule({"own": policy(kind=BRINGS_MODELS)}, slots=2, max_workers=8)

    assert schedule.start() == [StartWorker(number, BRINGS_MODELS) for number in (1, 2, 3)]

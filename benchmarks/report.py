"""The results as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchmarks.bindgen import Bindgen
from benchmarks.dapr_calls import WAITING, DaprCallCost
from benchmarks.file_cost import FILE_COSTS
from benchmarks.first_call import FirstCall
from benchmarks.guest_cost import STEPS
from benchmarks.interfaces import InterfaceCost
from benchmarks.page import PageCost
from benchmarks.pictures import Likeness
from benchmarks.results import CaseResult
from benchmarks.reuse import Reuse
from benchmarks.startup import Startup
from benchmarks.streams import Streams
from benchmarks.targets import Verdict
from benchmarks.topics import Topics

__all__ = [
    "bindgen_lines",
    "cost_lines",
    "file_lines",
    "first_call_lines",
    "likeness_lines",
    "load_lines",
    "page_lines",
    "reuse_lines",
    "startup_lines",
    "step_lines",
    "stream_lines",
    "topic_lines",
    "verdict_lines",
]


def load_lines(results: Iterable[CaseResult], titles: Mapping[str, str]) -> Iterator[str]:
    """
    Return requests a second, times and ratios of every load.
    """
    for result in results:
        yield ""
        yield f"{result.title:<32} requests/s    p50 ms    p99 ms     ratio"
        for key, summary in result.subjects.items():
            ratio = "1" if key == result.baseline else f"{result.ratios[key]:.2f}"
            yield (
                f"  {titles[key]:<30} {summary.rate:>10,.0f} {summary.p50_ms:>9.2f}"
                f" {summary.p99_ms:>9.2f} {ratio:>9}"
            )


def cost_lines(results: Iterable[CaseResult], titles: Mapping[str, str]) -> Iterator[str]:
    """
    Return where the time of a request goes: CPU time of each process, and how busy they are together.
    """
    yield ""
    yield "CPU time a request, µs             server  children    client     cores"
    for result in results:
        yield f"{result.title}"
        for key, summary in result.subjects.items():
            together_us = summary.server_us + summary.children_us + summary.client_us
            yield (
                f"  {titles[key]:<30} {summary.server_us:>8.0f} {summary.children_us:>9.0f}"
                f" {summary.client_us:>9.0f} {together_us * summary.rate / 1e6:>9.2f}"
            )


def step_lines(steps: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[str]:
    """
    Return the steps of one echo inside a worker, by engine and size.
    """
    yield ""
    yield f"in a worker, µs{'':<10}" + "".join(f"{step:>13}" for step in STEPS)
    for engine, sizes in steps.items():
        for size, medians in sizes.items():
            yield f"  {engine:<10} {size:>11} " + "".join(f"{medians[step]:>13.1f}" for step in STEPS)


def file_lines(files: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """
    Return the rates of writes, and the cost of a grant, by engine.
    """
    *writes, grant = FILE_COSTS
    yield ""
    yield f"100 MB in pieces of 4 KiB, MB/s{'':<3}" + "".join(f"{to:>17}" for to in writes)
    for engine, costs in files.items():
        yield f"  {engine:<32}" + "".join(f"{costs[to]:>17,.0f}" for to in writes)
    yield f"echo, {grant}, of one without"
    for engine, costs in files.items():
        yield f"  {engine:<32}{costs[grant]:>17.2f}"


def stream_lines(streams: Streams, titles: Mapping[str, str]) -> Iterator[str]:
    """
    Return the rates of long streams with the CPU time of each process, and the times of short ones.
    """
    yield ""
    yield f"{'streams: MiB/s, CPU seconds a GiB':<38}  MiB/s   server  children    client     ratio"
    for name in next(iter(streams.values())).transfers:
        yield f"chunks of {name}"
        for key, found in streams.items():
            each = found.transfers[name]
            yield (
                f"  {titles[key]:<30} {each.mib_s:>12,.0f} {each.server_s:>8.2f} {each.children_s:>9.2f}"
                f" {each.client_s:>9.2f} {each.ratio:>9.2f}"
            )
    yield "streams: ms from the call to           header      byte     ratio   chunk to chunk     ratio"
    for key, found in streams.items():
        times = found.times
        yield (
            f"  {titles[key]:<30} {times.header_ms:>12.2f} {times.first_ms:>9.2f} {found.first_ratio:>9.2f}"
            f" {times.turn_ms:>16.2f} {found.turn_ratio:>9.2f}"
        )


def likeness_lines(likenesses: Mapping[str, Mapping[str, Likeness]]) -> Iterator[str]:
    """
    Return how alike our grey pictures and Pillow's are.
    """
    yield ""
    yield "grey picture, against Pillow's      largest  mean (of 255)     bytes   of Pillow's"
    for name, by_engine in likenesses.items():
        for engine, likeness in by_engine.items():
            yield (
                f"  {name + ', ' + engine:<32} {likeness.largest:>8} {likeness.mean:>14.4f}"
                f" {likeness.size_bytes:>9,} {likeness.size_ratio:>13.2f}"
            )


def startup_lines(startups: Mapping[str, Startup], times: int) -> Iterator[str]:
    """
    Return how long the servers take to start.
    """
    yield ""
    yield f"serve, functions cached, {times} starts   median s   slowest s"
    for engine, startup in startups.items():
        yield f"  {engine:<33} {startup.median_s:>8.2f} {startup.slowest_s:>11.2f}"


def first_call_lines(first_calls: Mapping[str, FirstCall], times: int) -> Iterator[str]:
    """
    Return how long the first call after a start takes.
    """
    yield ""
    yield f"classify after a start, {times} starts   first ms   steady ms     ratio"
    for engine, first in first_calls.items():
        yield f"  {engine:<33} {first.first_ms:>8.2f} {first.steady_ms:>11.2f} {first.ratio:>9.2f}"


def topic_lines(topics: Mapping[str, Topics]) -> Iterator[str]:
    """
    Return messages a second behind daprd and Redis, and the CPU time of each.
    """
    yield ""
    yield f"{'topics: messages/s, and CPU time of each in µs':<58}   server   workers     daprd     redis"
    for engine, found in topics.items():
        for name, result in found.results.items():
            span = f"{result.slowest:,.0f} to {result.fastest:,.0f}"
            costs = (result.cost_us[part] for part in ("server", "workers", "daprd", "redis"))
            yield f"  {engine:<9} {name:<22} {result.rate:>6,.0f} ({span})".ljust(58) + "".join(
                f"{cost:>10.0f}" for cost in costs
            )


def dapr_call_lines(costs: Mapping[str, DaprCallCost]) -> Iterator[str]:
    """
    Return what a guest's call to Dapr takes beyond the same call by Dapr's SDK.
    """
    yield ""
    yield f"GetState, one caller, medians   guest ms    SDK ms  added ms   in JSON  {WAITING} guests, s"
    for engine, cost in costs.items():
        figures = (cost.guest_ms, cost.sdk_ms, cost.added_ms, cost.added_json_ms, cost.waiting_s)
        yield f"  {engine:<30}" + "".join(f"{each:>9.2f} " for each in figures)


def page_lines(pages: Mapping[str, PageCost]) -> Iterator[str]:
    """
    Return what a picture takes by the page and by the sidecar alone.
    """
    yield ""
    yield "grayscale by the page, medians     page ms   direct ms   page's own ms"
    for engine, cost in pages.items():
        name = f"{engine}, {cost.sidecar}"
        yield f"  {name:<31} {cost.page_ms:>8.2f} {cost.direct_ms:>11.2f} {cost.cost_ms:>15.2f}"


def reuse_lines(reuse: Mapping[str, Mapping[str, Reuse]]) -> Iterator[str]:
    """
    Return what a warm instance of a waPC function brings over a fresh one.
    """
    yield ""
    yield "waPC echo 64 B, 16 callers     requests/s: fresh    warm   ratio   worker's CPU us: fresh    warm"
    for engine, languages in reuse.items():
        for language, found in languages.items():
            yield (
                f"  {engine:<9} {language:<29} {found.fresh:>7,.0f} {found.warm:>7,.0f} {found.ratio:>7.2f}"
                f" {found.fresh_us:>24,.0f} {found.warm_us:>7,.0f}"
            )


def interface_lines(costs: Mapping[str, InterfaceCost]) -> Iterator[str]:
    """
    Return what a model costs by each interface, and a module of 2021 against the way of the first demo.
    """
    yield ""
    yield "one model on one tensor, by interface          CPU us  of wasi-nn-load"
    for engine, cost in costs.items():
        for name, us in cost.us.items():
            yield f"  {engine:<9} {name:<32} {us:>8,.0f} {cost.us['wasi-nn-load'] / us:>14.2f}"
        rates = f"{cost.rate:,.0f} requests/s; {cost.anew:,.1f} with everything anew"
        yield f"  {engine:<9} {'a module of 2021, 16 callers':<32} {rates}: {cost.of_anew:.0f} times"


def bindgen_lines(bindgen: Mapping[str, Mapping[str, Bindgen]]) -> Iterator[str]:
    """
    Return what an echo by a wasmedge-bindgen function takes, and a command's.
    """
    yield ""
    yield "echo 64 KiB by wasmedge-bindgen, 16 callers    requests/s   of command   worker's CPU us"
    for engine, functions in bindgen.items():
        for name, found in functions.items():
            figures = f"{found.rate:>10,.0f} {found.ratio:>12.2f} {found.worker_us:>17,.0f}"
            yield f"  {engine:<9} {name:<34} {figures}"


def verdict_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """
    Return every target with what was measured.
    """
    yield ""
    yield f"{'target':<56} {'engine':<9} {'wanted':>8} {'measured':>9}"
    for verdict in verdicts:
        yield (
            f"  {verdict.target:<54} {verdict.engine:<9} {verdict.wanted:>8} {verdict.value:>9.2f}"
            f"  {'met' if verdict.is_met else 'MISSED'}"
        )

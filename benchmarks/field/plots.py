"""The field's figures as plots, each in PNG and SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.field.findings import FieldFindings, FieldLoad
from benchmarks.field.neighbours import PATIENCE_S
from benchmarks.field.peers import ANEW, BINDING, GO, NATIVE, SDK
from benchmarks.field.tables import answer_time, figure

__all__ = ["draw"]

# The colours of Okabe and Ito, which colour-blind eyes tell apart; greys for what isn't isolated.
_OURS = ("#0072B2", "#56B4E9")
_COLOURS = {
    BINDING: "#E69F00",
    GO: "#D55E00",
    SDK: "#009E73",
    ANEW: "#CC79A7",
    NATIVE[0]: "#444444",
    NATIVE[1]: "#999999",
}
_STYLE = Path(__file__).with_name("plots.mplstyle")
_ENDLESS = 16
_CALLERS = 16


def draw(found: FieldFindings, folder: Path) -> list[Path]:
    """
    Draw what was measured, and return the files.
    """
    figures: dict[str, Figure] = {}
    with mpl.rc_context(fname=_STYLE):
        if any(_ENDLESS in each.latencies for each in found.neighbours.values()):
            figures["neighbours"] = _neighbours(found)
        if any(load.series == "cases" for load in found.loads):
            figures["throughput"] = _throughput(found)
            figures["cpu"] = _cpu(found)
        if any(load.series == "callers" for load in found.loads):
            figures["sweeps"] = _sweeps(found)
        if len(next(iter(found.memory.values()), ())) > 1:
            figures["memory"] = _memory(found)
        return [path for name, each in figures.items() for path in _save(each, folder / name)]


def _save(drawn: Figure, path: Path) -> list[Path]:
    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    # Without version and date, so that the same figures give the same files.
    drawn.savefig(png, metadata={"Software": None})
    drawn.savefig(svg, metadata={"Date": None, "Creator": None})
    return [png, svg]


def _neighbours(found: FieldFindings) -> Figure:
    colours, keys = _colours(found), list(found.neighbours)
    drawn = Figure(figsize=(8, 3.6))
    axes = drawn.subplots()
    for at, (key, peer) in enumerate(found.neighbours.items()):
        latency = peer.latencies[_ENDLESS]
        times_ms = [peer.latencies[0].p50_ms, latency.p50_ms]
        axes.plot(times_ms, [at, at], color=colours[key], linewidth=2, alpha=0.45)
        axes.plot(times_ms[0], at, "o", color="white", markeredgecolor=colours[key], markersize=7)
        axes.plot(times_ms[1], at, "o", color=colours[key], markersize=8)
        _label(axes, answer_time(latency, unit=" ms"), max(times_ms), at)
    axes.set_xscale("log")
    axes.set_xlim(right=PATIENCE_S * 5e3)
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    axes.minorticks_off()
    axes.grid(axis="x")
    _name_peers(axes, found, keys)
    axes.set_xlabel(f"median time of an echo in ms   ○ alone   ● beside {_ENDLESS} calls that never return")
    beside = {
        key: answer_time(each.latencies[_ENDLESS], unit=" ms") for key, each in found.neighbours.items()
    }
    theirs = f", with Dapr's bindings.wasm {beside[BINDING]}" if BINDING in beside else ""
    _title(drawn, f"An echo beside {_ENDLESS} endless calls: with wasm_grpc {beside[keys[0]]}{theirs}")
    return drawn


def _throughput(found: FieldFindings) -> Figure:
    colours, keys, loads = _colours(found), list(found.titles), _cases(found)
    names = {"echo": "echo of 64 bytes", "grayscale": "photo to grey", "classify": "photo classified"}
    drawn = Figure(figsize=(10, 3.2))
    panels = drawn.subplots(1, len(loads), sharey=True, squeeze=False)[0]
    for axes, load in zip(panels, loads, strict=True):
        for at, key in enumerate(keys):
            peer = load.peers.get(key)
            axes.barh(at, peer.rate if peer else 0, color=colours[key])
            _label(axes, figure(peer.rate) if peer else "runs no models", peer.rate if peer else 0, at)
        axes.margins(x=0.25)
        axes.set_title(names[load.method])
        axes.set_xlabel("requests/s")
        axes.xaxis.set_major_formatter("{x:,.0f}")
    _name_peers(panels[0], found, keys)
    _title(drawn, _throughput_title(loads))
    return drawn


def _throughput_title(loads: Iterable[FieldLoad]) -> str:
    found = {load.method: next(iter(load.peers.values())).rate for load in loads}
    theirs = {load.method: load.peers[BINDING].rate for load in loads if BINDING in load.peers}
    times = {method: f"{found[method] / rate:.2g} times" for method, rate in theirs.items()}
    if not {"echo", "grayscale"} <= set(times):
        return "Requests a second"
    return (
        f"Against Dapr's bindings.wasm, wasm_grpc turns {times['grayscale']} as many photos grey,"
        f" and echoes {times['echo']} as often"
    )


def _cpu(found: FieldFindings) -> Figure:
    (load,) = (each for each in _cases(found) if each.method == "echo")
    # What is made anew costs so much that the others' bars would vanish.
    costs = {key: each.cpu_us for key, each in load.peers.items() if key != ANEW}
    shades = {"daprd": "#BBBBBB", "app": "#56B4E9", "workers": "#F0E442"}
    totals = {key: sum(cost[part] for part in shades) for key, cost in costs.items()}
    drawn = Figure(figsize=(8, 3.2))
    axes = drawn.subplots()
    for at, (key, cost) in enumerate(costs.items()):
        left = 0.0
        for part, shade in shades.items():
            axes.barh(at, cost[part], left=left, color=shade)
            if at == 0:
                axes.annotate(part, (left + cost[part] / 2, at), ha="center", va="center")
            left += cost[part]
        _label(axes, figure(totals[key]), left, at)
    axes.margins(x=0.12)
    _name_peers(axes, found, list(costs))
    axes.set_xlabel(f"CPU time of an echo of 64 bytes in µs, {_CALLERS} callers")
    ours = next(iter(totals.values()))
    theirs = f", and {figure(totals[BINDING])} µs with Dapr's bindings.wasm" if BINDING in totals else ""
    _title(drawn, f"A small echo takes {figure(ours)} µs of CPU time with wasm_grpc{theirs}")
    return drawn


def _sweeps(found: FieldFindings) -> Figure:
    drawn = Figure(figsize=(11, 3.6))
    panels = drawn.subplots(1, 3)
    for series, axes in zip(("callers", "body", "workers"), panels, strict=True):
        loads = [load for load in found.loads if load.series == series]
        per_call = [load.x / 1e6 if series == "body" else 1.0 for load in loads]
        for key, colour in _colours(found).items():
            points = [
                (load.x, load.peers[key].rate * scale)
                for load, scale in zip(loads, per_call, strict=True)
                if key in load.peers
            ]
            if points:
                axes.plot(*zip(*points, strict=True), "o-", color=colour, label=found.titles[key])
        axes.set_xscale("log")
        if series == "workers":
            axes.set_ylim(bottom=0)
        else:
            axes.set_yscale("log")
        axes.set_xticks([load.x for load in loads], [_size(load.x, series) for load in loads])
        axes.xaxis.minorticks_off()
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.grid()
    for axes, (title, x, y) in zip(panels, _SWEEPS, strict=True):
        axes.set_title(title)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
    handles, names = panels[0].get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside right center", frameon=False)
    _title(drawn, _sweeps_title(found))
    return drawn


def _sweeps_title(found: FieldFindings) -> str:
    loads = [load for load in found.loads if load.series == "callers"]
    ours = next(iter(found.titles))
    share = loads[-1].peers[ours].rate / max(load.peers[ours].rate for load in loads)
    return f"With {loads[-1].x} callers, wasm_grpc still has {share:.0%} of its highest rate"


_SWEEPS = (
    ("echo of 64 bytes", "callers", "requests/s"),
    ("echo, 4 callers", "bytes a call", "MB/s each way"),
    ("photo to grey, 16 callers", "workers", "requests/s"),
)


def _memory(found: FieldFindings) -> Figure:
    colours = _colours(found)
    drawn = Figure(figsize=(8, 3.6))
    axes = drawn.subplots()
    totals = {key: [use.daprd_mib + use.app_mib for use in uses] for key, uses in found.memory.items()}
    counts = [use.functions for use in next(iter(found.memory.values()))]
    for key, mib in totals.items():
        axes.plot(counts, mib, "o-", color=colours[key])
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    last = {key: mib[-1] for key, mib in totals.items()}
    for key, place in _spread(last, axes.get_ylim()[1] / 16).items():
        text = f"{found.titles[key]}, {figure(last[key])}"
        _label(axes, text, counts[-1], place, color=colours[key])
    axes.set_xlabel("functions")
    axes.set_ylabel("memory of daprd and app, MiB")
    axes.grid()
    ours = figure(next(iter(last.values())))
    theirs = f", {figure(last[BINDING])} MiB with Dapr's bindings.wasm" if BINDING in last else ""
    _title(drawn, f"{counts[-1]:,} small functions take {ours} MiB with wasm_grpc{theirs}")
    return drawn


def _colours(found: FieldFindings) -> Mapping[str, str]:
    ours = [key for key in found.titles if key not in _COLOURS]
    every = {**dict(zip(ours, _OURS, strict=False)), **_COLOURS}
    return {key: every[key] for key in found.titles}


def _cases(found: FieldFindings) -> list[FieldLoad]:
    return [load for load in found.loads if load.series == "cases" and load.callers == _CALLERS]


def _name_peers(axes: Axes, found: FieldFindings, keys: Sequence[str]) -> None:
    axes.set_yticks(range(len(keys)), [found.titles[key] for key in keys])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()


def _title(drawn: Figure, text: str) -> None:
    drawn.suptitle(text, x=0.01, horizontalalignment="left")


def _label(axes: Axes, text: str, x: float, y: float, *, color: str = "black") -> None:
    axes.annotate(text, (x, y), (8, 0), textcoords="offset points", va="center", color=color)


def _spread(values: Mapping[str, float], gap: float) -> dict[str, float]:
    """
    Return places for labels near their values, at least so far from each other.
    """
    places: dict[str, float] = {}
    least = 0.0
    for key in sorted(values, key=values.__getitem__):
        places[key] = max(values[key], least)
        least = places[key] + gap
    return places


def _size(value: int, series: str) -> str:
    if series != "body" or value < 1 << 10:
        return str(value)
    return f"{value >> 10} Ki" if value < 1 << 20 else f"{value >> 20} Mi"

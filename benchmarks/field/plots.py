"""The field's figures as plots, each in PNG and SVG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.field.findings import FieldFindings, FieldLoad
from benchmarks.field.neighbours import PATIENCE_S
from benchmarks.field.peers import ANEW, BINDING, GO, NATIVE, SDK
from benchmarks.field.tables import figure

__all__ = ["draw"]

# Okabe and Ito's colours, told apart by colour-blind eyes too; greys for what isn't isolated.
_OURS = ("#0072B2", "#56B4E9")
_COLOURS = {
    BINDING: "#E69F00",
    GO: "#D55E00",
    SDK: "#009E73",
    ANEW: "#CC79A7",
    NATIVE[0]: "#555555",
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
    drawn.savefig(png, bbox_inches="tight", metadata={"Software": None})
    # Without a date, so that the same figures give the same file.
    drawn.savefig(svg, bbox_inches="tight", metadata={"Date": None})
    return [png, svg]


def _colours(found: FieldFindings) -> Mapping[str, str]:
    ours = [key for key in found.titles if key not in _COLOURS]
    return {**dict(zip(ours, _OURS, strict=False)), **_COLOURS}


def _neighbours(found: FieldFindings) -> Figure:
    colours = _colours(found)
    drawn = Figure(figsize=(8, 3.8))
    axes = drawn.subplots()
    limit = PATIENCE_S * 1e3
    for at, (key, peer) in enumerate(found.neighbours.items()):
        quiet, beside = peer.latencies[0], peer.latencies[_ENDLESS]
        axes.plot([quiet.p50_ms, beside.p50_ms], [at, at], color=colours[key], linewidth=2, alpha=0.45)
        axes.plot(quiet.p50_ms, at, "o", color="white", markeredgecolor=colours[key], markersize=7)
        axes.plot(beside.p50_ms, at, "o", color=colours[key], markersize=8)
        is_answered = beside.p50_ms < limit
        text = f"{figure(beside.p50_ms)} ms" if is_answered else f"no answer in {PATIENCE_S:g} s"
        axes.annotate(
            text, (max(beside.p50_ms, quiet.p50_ms), at), (8, 0), textcoords="offset points", va="center"
        )
    axes.set_xscale("log")
    axes.set_xlim(right=limit * 6)
    _name_peers(axes, found, list(found.neighbours))
    axes.set_xlabel(
        "median time of an echo, ms (○ quiet, ● beside 16 calls of a function that never returns)"
    )
    axes.set_title(_neighbours_title(found))
    axes.grid(axis="x", alpha=0.25)
    return drawn


def _neighbours_title(found: FieldFindings) -> str:
    beside = {key: each.latencies[_ENDLESS].p50_ms for key, each in found.neighbours.items()}
    ours = next(iter(beside))
    text = f"Beside 16 endless calls, wasm_grpc echoes in {figure(beside[ours])} ms"
    return f"{text}, Dapr's bindings.wasm in {figure(beside[BINDING])} ms" if BINDING in beside else text


def _throughput(found: FieldFindings) -> Figure:
    colours = _colours(found)
    loads = _cases(found)
    drawn = Figure(figsize=(10, 3.2), layout="constrained")
    keys = list(found.titles)
    for axes, load in zip(drawn.subplots(1, len(loads), sharey=True, squeeze=False)[0], loads, strict=True):
        for at, key in enumerate(keys):
            if key not in load.peers:
                axes.annotate(
                    "can't run models",
                    (0, at),
                    (4, 0),
                    textcoords="offset points",
                    va="center",
                    color="#777777",
                )
                continue
            rate = load.peers[key].rate
            axes.barh(at, rate, color=colours[key])
            axes.annotate(figure(rate), (rate, at), (4, 0), textcoords="offset points", va="center")
        axes.margins(x=0.25)
        axes.set_title(
            {"echo": "echo, 64 B", "grayscale": "photo to grey", "classify": "classify a photo"}[load.method]
        )
        axes.set_xlabel("requests/s")
        axes.tick_params(axis="y", length=0)
        _name_peers(axes, found, keys, is_first=axes is drawn.axes[0])
    drawn.suptitle(_throughput_title(loads), x=0.01, ha="left", weight="bold")
    return drawn


def _throughput_title(loads: list[FieldLoad]) -> str:
    parts = []
    for load in loads:
        rates = {key: each.rate for key, each in load.peers.items()}
        ours = next(iter(rates))
        if BINDING in rates:
            parts.append(f"{load.method} {rates[ours] / rates[BINDING]:.2g}")
    return f"wasm_grpc to Dapr's bindings.wasm: {', '.join(parts)} times as many requests a second"


def _cpu(found: FieldFindings) -> Figure:
    (load,) = (each for each in _cases(found) if each.method == "echo")
    keys = list(load.peers)
    drawn = Figure(figsize=(8, 3.4))
    axes = drawn.subplots()
    shades = {"daprd": "#999999", "app": "#0072B2", "workers": "#56B4E9"}
    for at, key in enumerate(keys):
        left = 0.0
        for part, shade in shades.items():
            used = load.peers[key].cpu_us[part]
            axes.barh(at, used, left=left, color=shade, label=part if at == 0 else None)
            left += used
        axes.annotate(figure(left), (left, at), (4, 0), textcoords="offset points", va="center")
    longest = max(sum(load.peers[key].cpu_us[part] for part in shades) for key in keys if key != ANEW)
    axes.set_xlim(right=longest * 1.3)
    _name_peers(axes, found, keys)
    axes.legend(frameon=False, loc="lower right")
    axes.set_xlabel("CPU time of an echo of 64 bytes, µs, 16 callers")
    axes.set_title("What an echo costs, by process")
    return drawn


def _sweeps(found: FieldFindings) -> Figure:
    colours = _colours(found)
    drawn = Figure(figsize=(12, 4), layout="constrained")
    axes_of = dict(zip(("callers", "body", "workers"), drawn.subplots(1, 3), strict=True))
    labels = {
        "callers": "callers of an echo, 64 B",
        "body": "bytes of an echo, 4 callers",
        "workers": "workers, photo to grey",
    }
    for series, axes in axes_of.items():
        loads = [load for load in found.loads if load.series == series]
        for key in found.titles:
            points = [(load.x, load.peers[key].rate) for load in loads if key in load.peers]
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    "o-",
                    color=colours[key],
                    markersize=3.5,
                    label=found.titles[key],
                )
        axes.set_xscale("log", base=2 if series != "body" else 10)
        axes.set_yscale("log")
        axes.set_xlabel(labels[series])
        axes.set_xticks([load.x for load in loads], [_size(load.x, series) for load in loads])
        axes.minorticks_off()
        axes.grid(alpha=0.25)
    axes_of["callers"].set_ylabel("requests/s")
    handles, names = axes_of["callers"].get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside right center", frameon=False)
    return drawn


def _memory(found: FieldFindings) -> Figure:
    colours = _colours(found)
    drawn = Figure(figsize=(7, 3.6))
    axes = drawn.subplots()
    for key, uses in found.memory.items():
        points = [(use.functions, use.daprd_mib + use.app_mib) for use in uses]
        axes.plot(*zip(*points, strict=True), "o-", color=colours[key])
        axes.annotate(
            found.titles[key], points[-1], (8, 0), textcoords="offset points", va="center", color=colours[key]
        )
    axes.set_xscale("log")
    axes.set_xlabel("functions")
    axes.set_ylabel("MiB (PSS), daprd and app")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.set_title("Memory by number of functions")
    return drawn


def _cases(found: FieldFindings) -> list[FieldLoad]:
    return [load for load in found.loads if load.series == "cases" and load.callers == _CALLERS]


def _name_peers(axes: Axes, found: FieldFindings, keys: list[str], *, is_first: bool = True) -> None:
    if is_first:
        axes.set_yticks(range(len(keys)), [found.titles[key] for key in keys])
        axes.invert_yaxis()


def _size(value: int, series: str) -> str:
    if series != "body" or value < 1024:
        return str(value)
    return f"{value >> 10} Ki" if value < 1 << 20 else f"{value >> 20} Mi"

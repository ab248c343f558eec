"""Figures and tables of `mdaug bench`: times of each code, and the cost of an atom in growing boxes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mdaug.bench.options import BaselineName
from mdaug.reports.html import Cell, Table
from mdaug.reports.style import AUGMENTED, BLACK, BROAD, GRAY, OTHER_CODE, new_axes, new_figure, save

OTHER_PACKAGES = get_args(BaselineName)
"""Beginnings of the names of their cases."""


def plot_times(group: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw median times of a group as bars on a logarithmic axis, minimum to maximum as a line."""
    ax = ax if ax is not None else new_axes()
    cases = group["cases"][::-1]
    several = len({case["threads"] for case in cases}) > 1
    for row, case in enumerate(cases):
        ms = case["ms_per_item"]
        ax.barh(row, ms["median"], color=_color(case["name"]), height=0.7)
        ax.plot([ms["min"], ms["max"]], [row, row], color=BLACK, linewidth=1.2)
        ax.text(1.08 * ms["max"], row, f"{ms['median']:.3g}", va="center", fontsize=8)
    ax.set_yticks(range(len(cases)), [_label(case, several) for case in cases], fontsize=8)
    ax.set_xscale("log")
    ax.set_xmargin(0.15)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel(f"ms a {group['unit']}")
    ax.set_title(group["title"], fontsize=10)
    return ax


def plot_boxes(boxes: list[Mapping[str, Any]], ax: Axes | None = None) -> Axes:
    """Draw the time an atom takes in boxes, with its lower bounds."""
    ax = ax if ax is not None else new_axes()
    atoms = [box["n_atoms"] for box in boxes]
    of_all = [box["us_per_atom"]["evaluation"] for box in boxes]
    spread = [[t["median"] - t["min"] for t in of_all], [t["max"] - t["median"] for t in of_all]]
    ax.errorbar(
        atoms,
        [t["median"] for t in of_all],
        yerr=spread,
        color=AUGMENTED,
        marker="o",
        linewidth=BROAD,
        label="energy and forces",
    )
    products = [box["us_per_atom"]["products"]["median"] for box in boxes]
    ax.plot(atoms, products, color=GRAY, linestyle="--", marker="s", label="bare products")
    memory = [box["memory_lower_bound_us_per_atom"] for box in boxes]
    ax.plot(atoms, memory, color=GRAY, linestyle=":", marker="^", label="memory lower bound")
    ax.set_xscale("log")
    ax.set_ylim(bottom=0)
    ax.set_xlabel("atoms in the periodic box")
    ax.set_ylabel("µs an atom")
    ax.legend(frameon=False)
    return ax


def bench_figure(result: Mapping[str, Any]) -> Figure:
    """Return a panel for each group of times, and one for the boxes."""
    groups = list(result["groups"].values())
    n_panels = len(groups) + bool(result["bulk"])
    heights = [max(2, len(group["cases"])) for group in groups] + [8] * bool(result["bulk"])
    figure, panels = new_figure(
        n_panels, 1, width=8.0, height=0.3 * sum(heights) + n_panels, squeeze=False, height_ratios=heights
    )
    for group, ax in zip(groups, panels[:, 0], strict=False):
        plot_times(group, ax)
    if result["bulk"]:
        plot_boxes(result["bulk"], panels[-1, 0])
    return figure


def save_bench_figure(result: Mapping[str, Any], path: Path) -> None:
    """Write the figure of `bench_figure`."""
    save(bench_figure(result), path)


def _color(name: str) -> str:
    if "products" in name or name in ("peak", "weights", "roofline"):
        return GRAY
    return OTHER_CODE if name.startswith(OTHER_PACKAGES) else AUGMENTED


def _label(case: Mapping[str, Any], several: bool) -> str:
    if not several:
        return str(case["label"])
    return f"{case['label']}, {case['threads']} thread" + ("s" if case["threads"] > 1 else "")


def bench_tables(result: Mapping[str, Any]) -> list[Table]:
    """Return a table of times and one of ratios for each group, and those of the boxes."""
    clock = result["options"]["clock"]
    tables = []
    for group in result["groups"].values():
        tables.append(_times(group, clock))
        if group["ratios"]:
            tables.append(_ratios(group))
    if result["bulk"]:
        tables += [_boxes(result["bulk"]), _pairs_and_memory(result["bulk"])]
    return tables


def _times(group: Mapping[str, Any], clock: str) -> Table:
    rows: list[list[Cell]] = []
    for case in group["cases"]:
        ms, rate = case["ms_per_item"], case["items_per_second"]
        rows.append(
            [case["label"], case["threads"], ms["min"], ms["median"], ms["max"], _whole(rate["median"])]
        )
    columns = ["", "threads", "min", "median", "max", "a second"]
    return Table(columns, rows, f"{group['title']}: ms a {group['unit']} ({clock} clock)")


def _ratios(group: Mapping[str, Any]) -> Table:
    labels = {case["name"]: case["label"] for case in group["cases"]}
    rows: list[list[Cell]] = [
        [f"{labels[r['slow']]} / {labels[r['fast']]}", r["threads"], r["min"], r["median"], r["max"]]
        for r in group["ratios"]
    ]
    return Table(["", "threads", "min", "median", "max"], rows, "Ratios of times, round by round")


def _boxes(boxes: list[Mapping[str, Any]]) -> Table:
    rows: list[list[Cell]] = []
    for box in boxes:
        us = box["us_per_atom"]
        whole = us["evaluation"]
        bounds = [us["products"]["median"], box["memory_lower_bound_us_per_atom"]]
        rows.append(
            [
                box["n_atoms"],
                whole["min"],
                whole["median"],
                whole["max"],
                *bounds,
                us["search"]["median"],
            ]
        )
    columns = ["atoms", "min", "median", "max", "bare products", "memory lower bound", "search of pairs"]
    return Table(columns, rows, "Periodic boxes, energy and forces: µs an atom")


def _pairs_and_memory(boxes: list[Mapping[str, Any]]) -> Table:
    rows: list[list[Cell]] = [
        [
            box["n_atoms"],
            box["n_pairs"],
            box["ns_per_pair_beyond_products"]["median"],
            box["memory_lower_bound_ns_per_pair"],
            box["gathered_ns_per_pair"],
            _whole(box["memory_bytes_per_atom"]),
            f"{box['peak_memory_bytes'] / 2**30:.2f}",
        ]
        for box in boxes
    ]
    columns = [
        "atoms",
        "pairs",
        "ns a pair",
        "memory lower bound",
        "if no cache held a row",
        "bytes an atom",
        "peak GiB",
    ]
    return Table(columns, rows, "Periodic boxes: time a pair beyond the products, and memory")


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

"""The content of bench.json as tables."""

from collections.abc import Mapping
from typing import Any

from mdaug.reports.html import Cell, Table


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
        floors = [us["products"]["median"], box["memory_floor_us_per_atom"]]
        rows.append(
            [box["n_atoms"], whole["min"], whole["median"], whole["max"], *floors, us["search"]["median"]]
        )
    columns = ["atoms", "min", "median", "max", "bare products", "memory floor", "search of pairs"]
    return Table(columns, rows, "Periodic boxes, energy and forces: µs an atom")


def _pairs_and_memory(boxes: list[Mapping[str, Any]]) -> Table:
    rows: list[list[Cell]] = [
        [
            box["n_atoms"],
            box["n_pairs"],
            box["ns_per_pair_beyond_products"]["median"],
            box["memory_floor_ns_per_pair"],
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
        "memory floor",
        "if no cache held a row",
        "bytes an atom",
        "peak GiB",
    ]
    return Table(columns, rows, "Periodic boxes: time a pair beyond the products, and memory")


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

"""Tables and figure of a measurement show what is in its JSON."""

import pytest

from mdaug.reports.bench import bench_figure, bench_tables, plot_boxes, plot_times, save_bench_figure

SPREAD = {"min": 1.0, "median": 2.0, "max": 3.0}


def case(name: str, threads: int = 1) -> dict:
    return {
        "name": name,
        "label": f"the {name}",
        "threads": threads,
        "ms_per_item": SPREAD,
        "items_per_second": {"min": 333.0, "median": 500.0, "max": 1000.0},
    }


@pytest.fixture
def result() -> dict:
    group = {
        "title": "One molecule",
        "unit": "call",
        "cases": [case("products"), case("core"), case("core", 2)],
        "ratios": [{"slow": "core", "fast": "products", "threads": 1, **SPREAD}],
    }
    box = {
        "n_atoms": 1000,
        "n_pairs": 25000,
        "us_per_atom": dict.fromkeys(("evaluation", "search", "products"), SPREAD),
        "ns_per_pair_beyond_products": SPREAD,
        "memory_lower_bound_us_per_atom": 0.5,
        "memory_lower_bound_ns_per_pair": 20.0,
        "gathered_ns_per_pair": 400.0,
        "memory_bytes_per_atom": 1234.5,
        "peak_memory_bytes": 2**30,
    }
    return {
        "options": {"clock": "wall"},
        "groups": {"molecule": group},
        "bulk": [box, box | {"n_atoms": 3000}],
    }


def test_tables(result):
    times, ratios, boxes, pairs = bench_tables(result)
    assert times.rows[1] == ["the core", 1, 1.0, 2.0, 3.0, "500"]
    assert "wall clock" in times.caption
    assert ratios.rows == [["the core / the products", 1, 1.0, 2.0, 3.0]]
    assert boxes.rows[0][:4] == [1000, 1.0, 2.0, 3.0]
    assert pairs.rows[0][-2:] == ["1,234", "1.00"]


def test_no_boxes_no_table(result):
    assert len(bench_tables(result | {"bulk": []})) == 2


def test_figure(result, tmp_path):
    axes = plot_times(result["groups"]["molecule"])
    assert [label.get_text() for label in axes.get_yticklabels()][::-1] == [
        "the products, 1 thread",
        "the core, 1 thread",
        "the core, 2 threads",
    ]
    assert plot_boxes(result["bulk"]).get_xscale() == "log"
    assert len(bench_figure(result).axes) == 2
    save_bench_figure(result, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").stat().st_size > 1000

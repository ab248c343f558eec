"""A whole measurement, too small to mean anything, has everything in it."""

import json

import pytest
from ase.build import molecule

from mdaug.bench import BenchOptions, run_bench
from mdaug.bench.benchmark_model import read_benchmark_model
from mdaug.bench.bulk import make_box
from mdaug.deployment import export_model
from mdaug.errors import DataError

pytestmark = pytest.mark.slow

SPREAD = {"min", "median", "max"}


def test_every_part_is_measured(options):
    told = []
    wanted = options.model_copy(update={"bulk": True, "threads": (1, 2)})
    found = json.loads(json.dumps(run_bench(None, wanted, progress=lambda *a: told.append(a)).to_json()))
    assert list(found["groups"]) == ["molecule", "training", "inference"]
    names = {key: {case["name"] for case in group["cases"]} for key, group in found["groups"].items()}
    assert names["molecule"] >= {
        *("products", "peak", "weights", "roofline", "core", "torchscript", "autograd", "ase"),
        *("own_step", "replicas_step", "ase_step"),
    }
    assert names["training"] == {"products", "filter_products", "training"}
    assert names["inference"] == {"products", "core", "torchscript"}
    for group in found["groups"].values():
        assert group["ratios"]
        for case in group["cases"]:
            assert set(case["ms"]) == set(case["items_per_second"]) == SPREAD
            assert len(case["wall_ms"]) == len(case["cpu_ms"])
    assert {case["threads"] for case in found["groups"]["inference"]["cases"]} == {1, 2}
    assert told[-1][1] == told[-1][2]
    assert found["baselines"] == {}


def test_boxes(options):
    found = run_bench(None, options.model_copy(update={"parts": ("bulk",)})).to_json()
    assert found["groups"] == {}
    (box,) = found["bulk"]
    assert box["n_atoms"] == 72
    assert box["n_pairs"] > 100
    assert set(box["us_per_atom"]) == {"evaluation", "search", "products"}
    assert box["peak_memory_bytes"] > 0
    assert set(box) >= {
        *("ns_per_pair_beyond_products", "memory_lower_bound_us_per_atom", "memory_lower_bound_ns_per_pair"),
        *("gathered_ns_per_pair", "memory_bytes_per_second", "memory_bytes_per_atom"),
    }


def test_a_model_is_measured_with_its_sizes(make_model, tmp_path, tiny):
    training = {
        "reference_structure": {"atomic_numbers": [6, 8, 1], "positions": [[0, 0, 0], [1.2, 0, 0], [0, 1, 0]]}
    }
    path = export_model(make_model(n_interactions=1, prior="pair"), tmp_path / "model.pt", training=training)
    found = run_bench(path, BenchOptions(**tiny, parts=("molecule",))).to_json()
    assert found["model"]["n_atoms"] == 3
    assert found["model"]["sizes"]["n_interactions"] == 1
    assert found["model"]["sizes"]["prior"] == "pair"
    assert found["model"]["sizes"]["n_atom_basis"] == 12
    products = found["groups"]["molecule"]["cases"][0]
    assert products["label"].startswith("6 ")


def test_a_crystal_has_no_molecule(make_model, tmp_path, tiny):
    cell = [[5.0, 0, 0], [0, 5.0, 0], [0, 0, 5.0]]
    structure = {
        "atomic_numbers": [6, 8],
        "positions": [[0, 0, 0], [2.0, 2, 2]],
        "cell": cell,
        "pbc": [True] * 3,
    }
    path = export_model(make_model(), tmp_path / "model.pt", training={"reference_structure": structure})
    found = run_bench(path, BenchOptions(**tiny, parts=("molecule", "inference", "bulk"))).to_json()
    assert found["groups"] == {}
    assert "periodic" in found["notes"][0]
    assert found["bulk"][0]["n_atoms"] == 54


def test_a_model_without_structure_is_refused(make_model, tmp_path):
    path = export_model(make_model(), tmp_path / "model.pt", training={})
    with pytest.raises(DataError, match="no reference structure"):
        read_benchmark_model(path)


def test_boxes_of_molecules_have_the_density_of_ethanol():
    box = make_box(molecule("CH3CH2OH"), 1000)
    assert len(box) == 9 * 125
    grams_per_cm3 = box.get_masses().sum() / box.get_volume() * 1.66054
    assert grams_per_cm3 == pytest.approx(0.789, rel=1e-3)
    distances = box[:9].get_all_distances()
    assert distances[0, 1] == pytest.approx(molecule("CH3CH2OH").get_distance(0, 1))

"""The conversation with the processes of baselines, with a stand-in that answers as the workers do."""

import sys
from pathlib import Path

import pytest

from mdaug.bench import run_bench
from mdaug.bench.baseline_process import WORKERS, BaselineError
from mdaug.bench.baselines import LABELS

pytestmark = pytest.mark.slow

STAND_IN = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if "setup" in request:
        setup = request["setup"]
        assert len(setup["molecule"]["positions"]) == 3
        if len(sys.argv) == 1:
            assert len(setup["frames"]["energies"]) == 4
        answer = {"ready": {"schnetpack": "2.1.x", "torch": "2.x"}}
    else:
        answer = {"wall_s": 2.0 * request["repeats"], "cpu_s": 1.0 * request["repeats"]}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def worker(monkeypatch, tmp_path):
    """Put another program in the worker's place."""

    def replace(text: str) -> None:
        for name in ("schnetpack_worker.py", "calculator_worker.py"):
            (tmp_path / name).write_text(text)
        monkeypatch.setattr("mdaug.bench.baseline_process.WORKERS", tmp_path)

    return replace


def test_peer_stands_in_every_group(options, worker):
    worker(STAND_IN)
    found = run_bench(None, options, baselines=["schnetpack"]).to_json()
    assert found["baselines"] == {"schnetpack": {"schnetpack": "2.1.x", "torch": "2.x"}}
    cases = {key: {c["name"]: c for c in group["cases"]} for key, group in found["groups"].items()}
    assert cases["molecule"]["schnetpack_energy_forces"]["ms"]["median"] == pytest.approx(2000)
    assert cases["molecule"]["schnetpack_step"]["ms"]["median"] == pytest.approx(2000)
    assert cases["training"]["schnetpack_step"]["ms_per_item"]["median"] == pytest.approx(1000)
    assert cases["training"]["schnetpack_loader"]["ms_per_item"]["median"] == pytest.approx(1000)
    assert cases["inference"]["schnetpack"]["ms_per_item"]["median"] == pytest.approx(2000 / 3)
    compared = {(r["slow"], r["fast"]) for group in found["groups"].values() for r in group["ratios"]}
    assert compared >= {
        ("schnetpack_step", "own_step"),
        ("schnetpack_step", "training"),
        ("schnetpack_flushed", "training"),
        ("schnetpack_loader", "training"),
        ("schnetpack", "core"),
    }


def test_a_worker_that_dies_says_why(options, worker):
    worker("raise SystemExit('no module named schnetpack')")
    with pytest.raises(BaselineError, match=r"no module named schnetpack.*--baseline-python"):
        run_bench(None, options, baselines=["schnetpack"])


def test_a_worker_that_dies_between_cases_is_named(options, worker):
    worker("import sys; sys.stdin.readline(); print('{\"ready\": {}}', flush=True)")
    with pytest.raises(BaselineError, match="MACE, invariant cannot be measured: no message"):
        run_bench(None, options, baselines=["mace"])


def test_a_python_that_is_none(options):
    with pytest.raises(BaselineError, match="--baseline-python /nowhere/python"):
        run_bench(None, options, baselines=["schnetpack"], baseline_pythons=[Path("/nowhere/python")])


def test_calculators_of_other_packages_stand_beside_a_molecule(options, worker):
    worker(STAND_IN)
    found = run_bench(
        None, options, baselines=list(LABELS), baseline_pythons=[Path(sys.executable)]
    ).to_json()
    group = found["groups"]["molecule"]
    times = {case["name"]: case["ms"]["median"] for case in group["cases"]}
    compared = {(ratio["slow"], ratio["fast"]) for ratio in group["ratios"]}
    for key in ("painn", "mace", "mace_l1", "symmetrix"):
        assert times[f"{key}_energy_forces"] == times[f"{key}_step"] == pytest.approx(2000)
        assert compared >= {(f"{key}_step", "own_step"), (f"{key}_energy_forces", "core")}
    assert set(found["baselines"]) == set(LABELS)


def test_one_python_for_each_baseline(options):
    pythons = [Path(sys.executable)] * 2
    with pytest.raises(BaselineError, match="2 for 3 baselines; expected one for all, or one each"):
        run_bench(None, options, baselines=["mace", "painn", "symmetrix"], baseline_pythons=pythons)


def test_the_workers_import_nothing_of_ours():
    for path in WORKERS.glob("*.py"):
        lines = [line for line in path.read_text().splitlines() if "import" in line]
        assert not any("mdaug." in line for line in lines)
        compile(path.read_text(), str(path), "exec")

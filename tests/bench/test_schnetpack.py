"""The conversation with the baseline's process, with a stand-in that answers as the worker does."""

from pathlib import Path

import pytest

from mdaug.bench import run_bench
from mdaug.bench.schnetpack import WORKER, BaselineError

pytestmark = pytest.mark.slow

STAND_IN = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if "setup" in request:
        setup = request["setup"]
        assert len(setup["molecule"]["positions"]) == 3
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
        path = tmp_path / "worker.py"
        path.write_text(text)
        monkeypatch.setattr("mdaug.bench.schnetpack.WORKER", path)

    return replace


def test_peer_stands_in_every_group(options, worker):
    worker(STAND_IN)
    found = run_bench(None, options, baseline=True).to_json()
    assert found["baseline"] == {"schnetpack": "2.1.x", "torch": "2.x"}
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
        run_bench(None, options, baseline=True)


def test_a_python_that_is_none(options):
    with pytest.raises(BaselineError, match="--baseline-python /nowhere/python"):
        run_bench(None, options, baseline=True, baseline_python=Path("/nowhere/python"))


def test_the_worker_imports_nothing_of_ours():
    assert "mdaug." not in "\n".join(line for line in WORKER.read_text().splitlines() if "import" in line)
    compile(WORKER.read_text(), str(WORKER), "exec")

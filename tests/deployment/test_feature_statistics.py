"""Extrapolation: 1 is the largest value of the training frames, in every evaluator; older files have none."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from torch.profiler import ProfilerActivity, profile

from mdaug import MDAugCalculator
from mdaug.calculators.core import Core
from mdaug.deployment import export_model, last_layer_statistics, load_model, read_manifest
from mdaug.frames import FrameSet
from mdaug.geometry.frame_pairs import pairs_of_frames

KINDS = [{}, {"n_vectors": 5, "n_interactions": 3}, {"n_interactions": 4}, {"n_atom_basis": 40}]


def frames_of(atoms: Atoms, n: int = 40, width: float = 0.1, seed: int = 0) -> FrameSet:
    rng = np.random.default_rng(seed)
    positions = atoms.positions + width * rng.standard_normal((n, len(atoms), 3))
    cells = np.repeat(atoms.cell.array[None], n, axis=0) if atoms.pbc.any() else None
    zeros = np.zeros_like(positions)
    return FrameSet(atoms.numbers, positions, np.zeros(n), zeros, cells=cells, pbc=tuple(atoms.pbc))


def evaluated(core: Core, path, frames: FrameSet) -> np.ndarray:
    species = np.array([[1, 6, 8].index(number) for number in frames.atomic_numbers])
    pairs = pairs_of_frames(frames, read_manifest(path)["cutoff_A"])
    core.compute_extrapolation()
    core.evaluate(np.tile(species, len(frames)), frames.positions.reshape(-1, 3), *pairs)
    return core.extrapolation(len(frames), frames.n_atoms)


@pytest.fixture
def ethanol_frames() -> FrameSet:
    return frames_of(molecule("CH3CH2OH"))


def exported(model, path, *training: FrameSet):
    return export_model(model, path, training={}, statistics=last_layer_statistics(model, training))


@pytest.mark.parametrize("options", KINDS)
def test_the_largest_value_of_each_element_in_training_is_one(make_model, tmp_path, ethanol_frames, options):
    path = exported(make_model(**options), tmp_path / "m.pt", ethanol_frames)
    values = evaluated(Core(path, "float64"), path, ethanol_frames)
    for number in (1, 6, 8):
        assert values[:, ethanol_frames.atomic_numbers == number].max() == pytest.approx(1.0, abs=1e-9)
    far = evaluated(Core(path, "float64"), path, frames_of(molecule("CH3CH2OH"), width=0.5, seed=1))
    assert np.median(far.max(axis=1)) > 1.5


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 2e-4)])
def test_core_and_torchscript_give_the_same(  # noqa: PLR0917
    make_model, tmp_path, ethanol_frames, options, dtype, tolerance
):
    path = exported(make_model(**options), tmp_path / "m.pt", ethanol_frames)
    frames = frames_of(molecule("CH3CH2OH"), n=9, width=0.3, seed=2)
    pairs = [torch.as_tensor(values) for values in pairs_of_frames(frames, 4.0)]
    script = load_model(path, dtype)
    species = script.species(torch.as_tensor(np.tile(frames.atomic_numbers, 9)))
    expected = script.extrapolation(species, torch.as_tensor(frames.positions.reshape(-1, 3)), *pairs)
    found = evaluated(Core(path, dtype), path, frames)
    np.testing.assert_allclose(found.ravel(), expected.detach().numpy(), rtol=tolerance)


class EarlierFile:
    """A loaded file whose evaluation does not give the extrapolation, as those of versions before."""

    def __init__(self, *arguments) -> None:
        self.script, self.calls = load_model(*arguments), 0

    def evaluate(self, *given):
        return {
            name: value for name, value in self.script.evaluate(*given).items() if name != "extrapolation"
        }

    def extrapolation(self, *given):
        self.calls += 1
        return self.script.extrapolation(*given)


@pytest.fixture
def both_evaluators(make_model, tmp_path, ethanol_frames):
    """Evaluate displaced ethanol with a calculator of the core, and with one of TorchScript."""
    path = exported(make_model(n_vectors=5), tmp_path / "m.pt", ethanol_frames)
    atoms = molecule("CH3CH2OH")
    atoms.positions = frames_of(atoms, n=1, width=0.3, seed=2).positions[0]

    def evaluate(evaluator: str) -> MDAugCalculator:
        calculator = MDAugCalculator(path, dtype="float64", evaluator=evaluator)
        calculator.calculate(atoms)
        return calculator

    return evaluate


@contextmanager
def network_passes():
    """Count passes through the network by the look-ups in its embedding."""
    passes: list[int] = []
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        yield passes
    passes.extend(event.count for event in profiled.key_averages() if event.key == "aten::embedding")


def test_torchscript_evaluates_the_network_once(both_evaluators):
    core, script = both_evaluators("core"), both_evaluators("torchscript")
    np.testing.assert_allclose(script.extrapolation, core.extrapolation, rtol=1e-10)
    np.testing.assert_allclose(script.results["forces"], core.results["forces"], rtol=1e-9, atol=1e-12)
    atoms = script.atoms.copy()
    atoms.rattle(0.01)
    with network_passes() as passes:
        script.calculate(atoms)
    assert passes == [1]


def test_files_of_earlier_versions_give_the_same(both_evaluators, monkeypatch):
    expected, loaded = both_evaluators("torchscript"), []
    monkeypatch.setattr(
        "mdaug.calculators.evaluators.load_model",
        lambda *arguments: loaded.append(EarlierFile(*arguments)) or loaded[-1],
    )
    found = both_evaluators("torchscript")
    np.testing.assert_array_equal(found.extrapolation, expected.extrapolation)
    assert loaded[0].calls == 1


def test_threads_do_not_change_it(make_model, tmp_path, ethanol_frames):
    path = exported(make_model(), tmp_path / "m.pt", ethanol_frames)
    one, two = (evaluated(Core(path, "float64", n), path, ethanol_frames) for n in (1, 2))
    np.testing.assert_allclose(one, two, rtol=1e-9)


def test_systems_and_cells_are_pooled_by_element(make_model, tmp_path, ethanol_frames):
    crystal = frames_of(bulk("CO", "rocksalt", a=3.6, cubic=True), n=20, width=0.05)
    path = exported(make_model(), tmp_path / "m.pt", ethanol_frames, crystal)
    assert read_manifest(path)["extrapolation"] == {"n_frames": 60}
    core = Core(path, "float64")
    values = [evaluated(core, path, frames).max() for frames in (ethanol_frames, crystal)]
    assert max(values) == pytest.approx(1.0, abs=1e-9)


def test_files_without_statistics_have_no_extrapolation(make_model, tmp_path):
    path = export_model(make_model(), tmp_path / "m.pt", training={})
    core = Core(path)
    assert not core.has_extrapolation
    with pytest.raises(Exception, match="no statistics of its training frames"):
        core.compute_extrapolation()
    assert "extrapolation" not in read_manifest(path)


def test_an_atom_like_another_type_is_unlike_its_own(make_model, ethanol_frames):
    """H of the hydroxyl group is far from H of CH3, which the covariance of all H would hide."""
    types = np.array([0, 1, 2, 3, 4, 4, 5, 5, 5])
    typed, model = replace(ethanol_frames, atom_types=types), make_model(n_atom_types=6)
    with torch.no_grad():
        model.network.embedding.weight[3:] = model.network.embedding.weight[[1, 1, 2, 0, 0, 0]]
    of_types = last_layer_statistics(model, [typed])
    hydrogen, hydroxyl = of_types.means[0], of_types.means[3 + 3]
    by_type, by_element = (
        float(torch.linalg.norm(of_types.whitening[row] @ (hydroxyl - of_types.means[3 + 5])))
        for row in (3 + 5, 0)
    )
    assert by_type > 2 * by_element > 0
    assert torch.linalg.norm(hydroxyl - hydrogen) > 0


def test_a_type_of_few_atoms_has_the_covariance_within_its_element(make_model, ethanol_frames):
    """Of two frames it would have none in most directions, so that every other frame were unlike them."""
    types = np.array([0, 1, 2, 3, 4, 4, 5, 5, 5])
    model, few = make_model(n_atom_types=7), ethanol_frames.select(np.array([0, 1]))
    rare = replace(few, atom_types=np.array([0, 1, 2, 6, 4, 4, 5, 5, 5]))
    typed = replace(ethanol_frames, atom_types=types)
    statistics = last_layer_statistics(model, [typed, rare])
    scales = torch.linalg.svdvals(statistics.whitening[3 + 6]) / statistics.whitening[3 + 6].norm()
    within = torch.linalg.svdvals(statistics.whitening[3 + 3]) / statistics.whitening[3 + 3].norm()
    torch.testing.assert_close(scales, within, rtol=0.5, atol=0.0)


def test_a_type_without_frames_has_no_statistics(make_model, ethanol_frames):
    types = np.array([0, 1, 2, 3, 4, 4, 5, 5, 5])
    statistics = last_layer_statistics(
        make_model(n_atom_types=7), [replace(ethanol_frames, atom_types=types)]
    )
    assert torch.isnan(statistics.means[3 + 6]).all() and torch.isnan(statistics.whitening[3 + 6]).all()
    assert torch.isfinite(statistics.means[: 3 + 6]).all()


def test_a_single_frame_gives_no_statistics(make_model, ethanol_frames):
    assert last_layer_statistics(make_model(), [ethanol_frames.select(np.array([0]))]) is None


def test_statistics_are_no_weights(make_model, tmp_path, ethanol_frames):
    model = make_model()
    plain = export_model(model, tmp_path / "p.pt", training={})
    path = exported(model, tmp_path / "m.pt", ethanol_frames)
    assert read_manifest(path)["weights_sha256"] == read_manifest(plain)["weights_sha256"]
    assert read_manifest(path)["format_version"] == read_manifest(plain)["format_version"]

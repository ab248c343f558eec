"""A training with a prior: what it is made of, what is left to the network, and what comes back."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import bulk

from mdaug.deployment import export_model, load_model
from mdaug.frames import FrameSet
from mdaug.geometry.pairs import molecule_pairs
from mdaug.models import SchNetOptions
from mdaug.models.pair_prior import zbl_prior
from mdaug.training import predict, train
from mdaug.training.checkpoint import restore_model
from mdaug.training.pair_prior import choose_prior, prior_results, without_prior
from mdaug.training.tensors import FrameTensors


@pytest.fixture
def with_pair(model_options) -> SchNetOptions:
    """Return the small network with a fitted prior."""
    return model_options.model_copy(update={"prior": "pair"})


@pytest.fixture
def crystal() -> FrameSet:
    """Return silicon cells smaller than the cutoff."""
    atoms = bulk("Si", cubic=False)
    cells = np.stack([atoms.cell.array * scale for scale in (1.0, 1.02, 0.97)])
    positions = np.stack([atoms.positions * scale for scale in (1.0, 1.02, 0.97)])
    positions += 0.05 * np.random.default_rng(0).standard_normal(positions.shape)
    return FrameSet(atoms.numbers, positions, np.zeros(3), np.zeros_like(positions), cells, (True,) * 3)


def test_forces_of_the_prior_are_its_gradient(make_frames, crystal, with_pair):
    h = 1e-5
    for frames in (make_frames(3), crystal):
        chosen = with_pair.model_copy(update={"cutoff": 4.0})
        prior = choose_prior(frames, sorted(set(frames.atomic_numbers.tolist())), chosen)
        _, forces = prior_results(frames, prior)
        assert np.abs(forces).max() > 0.1
        for frame, atom, axis in ((0, 0, 0), (2, 1, 2)):
            energies = []
            for step in (h, -h):
                positions = frames.positions.copy()
                positions[frame, atom, axis] += step
                energies.append(prior_results(replace(frames, positions=positions), prior)[0])
            numeric = -(energies[0] - energies[1]) / (2 * h)
            assert numeric[frame] == pytest.approx(forces[frame, atom, axis], abs=1e-6)
            assert np.abs(np.delete(numeric, frame)).max() == 0.0


def test_what_is_left_is_much_less(make_frames, with_pair):
    frames = make_frames()
    rest = without_prior(frames, choose_prior(frames, [1, 8], with_pair))
    assert np.square(rest.forces).mean() < 0.5 * np.square(frames.forces).mean()
    assert rest.energies.std() < 0.5 * frames.energies.std()
    assert without_prior(frames, None) is frames


def test_copies_have_no_say(make_frames, with_pair):
    frames = make_frames(10)
    both = {name: np.concatenate([getattr(frames, name)] * 2) for name in ("positions", "energies", "group")}
    wrong = FrameSet(
        frames.atomic_numbers, forces=np.concatenate([frames.forces, 9 + 0 * frames.forces]), **both
    )
    clean, found = (choose_prior(f, [1, 8], with_pair) for f in (frames, wrong))
    np.testing.assert_array_equal(found.table, clean.table)


def test_priors_by_name(make_frames, model_options, with_pair):
    frames = make_frames()
    assert choose_prior(frames, [1, 8], model_options) is None
    zbl = choose_prior(frames, [1, 8], model_options.model_copy(update={"prior": "zbl"}))
    np.testing.assert_array_equal(zbl.table, zbl_prior([1, 8], 3.0).table)
    assert zbl.description["name"] == "zbl"
    assert choose_prior(frames, [1, 8], with_pair).description["name"] == "pair"


def test_references_scale_and_targets_are_of_what_is_left(make_frames, with_pair, make_options, tmp_path):
    frames = make_frames()
    model = train(frames, make_frames(6, seed=1), with_pair, make_options(epochs=1), tmp_path).model
    rest = without_prior(frames, model.prior)
    total = model.reference_energies[[1, 0, 0]].sum()
    assert float(total) == pytest.approx(rest.energies.mean(), abs=1e-10)
    assert float(model.energy_scale) == pytest.approx(np.sqrt(np.square(rest.forces).mean()))
    tensors = FrameTensors(frames, model)
    np.testing.assert_allclose(tensors.forces * model.energy_scale, rest.forces, atol=1e-12)
    np.testing.assert_allclose(
        tensors.energies * model.energy_scale, rest.energies - float(total), atol=1e-10
    )


def test_trained_restored_and_deployed_are_one_function(make_frames, with_pair, make_options, tmp_path):
    trained = train(make_frames(), make_frames(6, seed=1), with_pair, make_options(epochs=3), tmp_path).model
    restored = restore_model(tmp_path / "checkpoint.pt", with_pair, [1, 8])
    assert restored.prior.description == trained.prior.description
    path = export_model(restored, tmp_path / "model.pt", training={})
    frames = make_frames(4, seed=2)
    energies, forces = predict(trained, frames)
    np.testing.assert_array_equal(predict(restored, frames)[0], energies)
    idx_i, idx_j = map(torch.from_numpy, molecule_pairs(3))
    deployed = load_model(path)
    for n in range(len(frames)):
        given = torch.tensor([8, 1, 1]), torch.from_numpy(frames.positions[n]), idx_i, idx_j
        out = deployed(*given, torch.zeros(3, 3))
        assert float(out["energy"]) == pytest.approx(energies[n], abs=1e-10)
        np.testing.assert_allclose(out["forces"], forces[n], atol=1e-10)

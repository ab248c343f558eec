"""Stresses in training: against energies of strained cells; the gradient of the loss by differences."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mdaug.frames import Dataset, as_frames, join_frames
from mdaug.native import load_kernels
from mdaug.training import predict, train
from mdaug.training.evaluation import errors, predict_tensors
from mdaug.training.loop import Trainer
from mdaug.training.pair_prior import choose_prior, prior_results, without_prior
from mdaug.training.systems import tensors_of
from mdaug.training.tensors import FrameTensors
from mdaug.units import KCAL_MOL_PER_EV
from tests.crystals import copper, slopes_in_strain, strained


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("n_vectors", [0, 6])
def test_strain_derivatives_are_those_of_the_energy(
    model_options, make_options, monkeypatch, kernels, n_vectors
):
    assert load_kernels()
    monkeypatch.setattr("mdaug.models.potential.load_kernels", lambda: kernels)
    frames = copper(3)
    sizes = model_options.model_copy(update={"n_vectors": n_vectors})
    model = Trainer(frames, frames, sizes, make_options(), torch.device("cpu")).model
    tensors = FrameTensors(frames, model)
    _, _, found = predict_tensors(model, tensors, torch.arange(3), strain=True)
    expected = slopes_in_strain(lambda frames: predict(model, frames)[0], frames)
    np.testing.assert_allclose(float(model.energy_scale) * found.numpy(), expected, atol=1e-6)
    assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize("loss", ["mse", "huber"])
@pytest.mark.parametrize("n_vectors", [0, 6])
def test_the_gradient_of_the_loss(model_options, make_options, loss, n_vectors):
    """Against central differences in random directions of the weights; the stress is most of the loss."""
    frames = replace(copper(), weights=np.linspace(0.5, 2.0, 8))
    sizes = model_options.model_copy(update={"n_vectors": n_vectors})
    options = make_options(stress_weight=50.0, loss=loss, huber_delta=0.5)
    trainer = Trainer(frames, frames, sizes, options, torch.device("cpu"))
    batch = trainer.train_set.batch(torch.tensor([5, 2, 7]))
    loss_of_batch = trainer.step.loss(batch, 3)
    loss_of_batch.backward()
    values, gradient = trainer.parameters.copy(), trainer.parameters.gradient.clone()
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        direction = torch.randn(len(values), generator=generator, dtype=torch.float64)
        sides = []
        for step in (1e-5, -1e-5):
            trainer.parameters.assign(values + step * direction)
            sides.append(float(trainer.step.loss(batch, 3).detach()))
        numeric = (sides[0] - sides[1]) / 2e-5
        assert numeric == pytest.approx(float(gradient @ direction), rel=1e-5)


def test_the_loss_by_hand(model_options, make_options):
    frames = replace(copper(4), weights=np.array([1.0, 0.5, 2.0, 1.0]))
    trainers = [
        Trainer(frames, frames, model_options, make_options(stress_weight=w, loss="mse"), torch.device("cpu"))
        for w in (0.0, 0.3)
    ]
    index = torch.tensor([1, 2])
    without, with_stress = (t.step.loss(t.train_set.batch(index), 2) for t in trainers)
    model, scale = trainers[0].model, float(trainers[0].model.energy_scale)
    _, _, strain = predict_tensors(model, trainers[0].train_set, index, strain=True)
    volumes = np.abs(np.linalg.det(frames.cells[[1, 2]]))
    squares = (strain.numpy() - volumes[:, None, None] * frames.stresses[[1, 2]] / scale) ** 2
    expected = 0.3 * np.mean([0.5 * squares[0].mean(), 2.0 * squares[1].mean()])
    assert float(with_stress.detach()) - float(without.detach()) == pytest.approx(expected)


def test_frames_without_stress_among_others(make_frames, model_options, make_options):
    """Copies of frames, and frames of a molecule, add nothing to the errors of stresses and to their loss."""
    frames = copper(4)
    joined = join_frames([frames, replace(copper(2, seed=1), stresses=None)])
    assert np.isnan(joined.stresses[4:]).all()
    np.testing.assert_array_equal(joined.stresses[:4], frames.stresses)
    both = Dataset((make_frames(6), joined))
    options = make_options(stress_weight=1.0)
    trainer = Trainer(both, both, model_options, options, torch.device("cpu"))
    losses = []
    for stress_weight in (0.0, 1.0):
        trainer.step.options = options.model_copy(update={"stress_weight": stress_weight})
        by_one = [
            float(trainer.step.loss(trainer.train_set.batch(torch.tensor([n])), 1).detach())
            for n in range(12)
        ]
        at_once = float(trainer.step.loss(trainer.train_set.batch(torch.arange(12)), 12).detach())
        assert at_once == pytest.approx(np.mean(by_one))
        losses.append(np.array(by_one))
    added = losses[1] - losses[0]
    assert np.flatnonzero(np.abs(added) > 1e-12).tolist() == [6, 7, 8, 9]
    alone = errors(trainer.model, tensors_of(frames, trainer.model))
    assert errors(trainer.model, tensors_of(joined, trainer.model)).strain_mae == pytest.approx(
        alone.strain_mae
    )


def test_molecules_in_a_cell_with_two_open_sides_have_no_stress():
    assert replace(copper(2), pbc=(True, True, False)).known_stresses is None


def test_stresses_less_those_of_a_prior(model_options):
    frames = strained(copper(3), -0.25 * np.eye(3))
    prior = choose_prior(frames, [29], model_options.model_copy(update={"prior": "zbl", "cutoff": 4.0}))
    rest = without_prior(frames, prior)
    volumes = np.abs(np.linalg.det(frames.cells))[:, None, None]
    expected = slopes_in_strain(lambda frames: prior_results(frames, prior)[0], frames) / volumes
    assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(frames.stresses - rest.stresses, expected, atol=2e-6)


def test_stresses_are_learned(model_options, make_options, tmp_path):
    """At equal steps the stress error of a held-out set is several times smaller than without them."""
    found = []
    for stress_weight in (0.0, 0.1):
        (tmp_path / str(stress_weight)).mkdir()
        options = make_options(stress_weight=stress_weight, epochs=60, loss="mse")
        given = copper(24), copper(6, seed=1), model_options.model_copy(update={"cutoff": 4.0}), options
        model = train(*given, tmp_path / str(stress_weight)).model
        found.append(errors(model, tensors_of(copper(6, seed=1), model)).strain_mae)
    assert found[1] < 0.6 * found[0]


def test_the_history_has_the_error_of_frames_with_stresses(
    model_options, make_options, make_frames, tmp_path
):
    """A molecule among the validation frames does not lower it; without stresses there is no column."""
    validation = as_frames([copper(6, seed=1), make_frames(3)])
    given = as_frames([copper(12), make_frames(6)]), validation
    result = train(*given, model_options, make_options(epochs=2), tmp_path)
    expected = errors(result.model, tensors_of(validation.systems[0], result.model)).strain_mae
    scale = float(result.model.energy_scale) * KCAL_MOL_PER_EV
    last = result.history.epochs[result.best_epoch - 1]
    assert last.validation_virial_mae_kcal_mol == pytest.approx(expected * scale, rel=1e-5)
    assert (tmp_path / "history.csv").read_text().splitlines()[0].endswith("_virial_mae_kcal_mol")
    (tmp_path / "molecule").mkdir()
    given = make_frames(6), make_frames(3), model_options, make_options(epochs=1)
    assert train(*given, tmp_path / "molecule").history.epochs[0].validation_virial_mae_kcal_mol is None


def test_checkpoints_of_before_stresses_and_isolated_atoms_are_resumed(
    model_options, make_options, make_frames
):
    """Options that do not matter for the frames are no part of the fingerprint in a checkpoint."""

    def fingerprint(frames, **options):
        given = frames, frames, model_options, make_options(**options)
        return Trainer(*given, torch.device("cpu")).fingerprint

    molecule = make_frames(4)
    options = make_options()
    earlier = repr(options).replace(" stress_weight=0.003,", "").replace(" e0s=None,", "")
    assert len(earlier) < len(repr(options)) - 30
    earlier = earlier.replace("learning_rate=None", "learning_rate=0.002")
    energy = molecule.energies.sum()
    network = repr(model_options).replace(", atom_types=True", "")
    assert fingerprint(molecule) == f"{network} {earlier} 4 {energy!r}"
    assert fingerprint(copper()) != fingerprint(copper(), stress_weight=1.0)
    assert fingerprint(molecule) != fingerprint(molecule, e0s={"H": -13.0, "O": -400.0})

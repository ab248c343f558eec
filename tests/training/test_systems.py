"""Training on several systems: batches without padding, the loss of each frame, reference energies."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mdaug.errors import DataError
from mdaug.frames import Dataset, FrameSet
from mdaug.models import SchNetOptions
from mdaug.native import load_kernels
from mdaug.training import predict, train
from mdaug.training.checkpoint import restore_model
from mdaug.training.evaluation import errors
from mdaug.training.loop import Trainer
from mdaug.training.pair_prior import choose_prior
from mdaug.training.references import reference_energies
from mdaug.training.systems import SystemTensors
from mdaug.training.tensors import FrameTensors, energy_scale, output_scales

OF_H, OF_O = -13.0, -2040.0


@pytest.fixture
def pair_of_water():
    """Return frames of two waters, 8 of them, whose molecules hardly feel each other."""

    def make(frames: FrameSet) -> FrameSet:
        shifted = frames.positions + np.array([0.0, 0.0, 2.5])
        return FrameSet(
            np.tile(frames.atomic_numbers, 2),
            np.concatenate([frames.positions, shifted], axis=1),
            2 * frames.energies,
            np.tile(frames.forces, (1, 2, 1)),
            name="two waters",
            weights=np.linspace(0.2, 1.0, len(frames)),
        )

    return make


@pytest.fixture
def dataset(make_frames, pair_of_water) -> Dataset:
    return Dataset((make_frames(10), pair_of_water(make_frames(8, seed=3))))


def test_a_batch_is_the_frames_of_each_system_one_after_the_other(dataset, make_model):
    model = make_model()
    before = [frames.weights.copy() for frames in dataset.systems]
    tensors = SystemTensors(dataset, model)
    for frames, weights in zip(dataset.systems, before, strict=True):
        np.testing.assert_array_equal(frames.weights, weights)
    assert (tensors.n_frames, tensors.n_atoms) == (18, (10 * 3 + 8 * 6) / 18)
    batch = tensors.batch(torch.tensor([12, 9, 4, 10]))
    first = FrameTensors(dataset.systems[0], model).batch(torch.tensor([4, 9]))
    second = FrameTensors(dataset.systems[1], model).batch(torch.tensor([0, 2]))
    assert batch.graph.n_systems == 4
    assert batch.graph.system.tolist() == [0] * 3 + [1] * 3 + [2] * 6 + [3] * 6
    assert batch.graph.idx_i.tolist() == [*first.graph.idx_i.tolist(), *(6 + second.graph.idx_i).tolist()]
    assert batch.graph.idx_j.tolist() == [*first.graph.idx_j.tolist(), *(6 + second.graph.idx_j).tolist()]
    for part, n_atoms in ((first, 3), (second, 6)):
        part.weights.mul_(78 / 18 / n_atoms)
    for name in ("energies", "forces", "weights"):
        torch.testing.assert_close(
            getattr(batch, name), torch.cat([getattr(first, name), getattr(second, name)])
        )
    energies, forces = model(batch.graph)
    of_parts = [model(part.graph) for part in (first, second)]
    torch.testing.assert_close(energies, torch.cat([part[0] for part in of_parts]))
    torch.testing.assert_close(forces, torch.cat([part[1] for part in of_parts]))


def test_every_batch_has_the_same_share_of_each_system(make_frames, pair_of_water, make_model):
    dataset = Dataset((make_frames(40), pair_of_water(make_frames(20, seed=3))))
    tensors, orders = SystemTensors(dataset, make_model()), []
    for seed in range(5):
        order = tensors.shuffled(torch.Generator().manual_seed(seed))
        assert sorted(order.tolist()) == list(range(60))
        shares = [int((batch < 40).sum()) for batch in order.split(12)]
        assert set(shares) <= {7, 8, 9}
        orders.append(order.tolist())
    assert tensors.shuffled(torch.Generator().manual_seed(4)).tolist() == orders[-1]
    assert len({tuple(n for n in order if n < 40) for order in orders}) == 5  # each at random


def test_frames_of_one_system_alone_are_a_batch_too(dataset, make_model):
    graph = SystemTensors(dataset, make_model()).batch(torch.tensor([17, 11])).graph
    assert graph.system.tolist() == [0] * 6 + [1] * 6


@pytest.mark.parametrize("loss", ["mse", "huber"])
@pytest.mark.parametrize("kernels", [True, False])
def test_each_frame_counts_as_on_its_own_but_energies_by_their_numbers_of_atoms(  # noqa: PLR0917
    dataset, model_options, make_options, monkeypatch, kernels, loss
):
    assert load_kernels()
    monkeypatch.setattr("mdaug.training.step.load_kernels", lambda: kernels)
    options = make_options(energy_weight=0.3, force_weight=2.0, loss=loss)
    together = Trainer(dataset, dataset, model_options, options, torch.device("cpu"))
    index = torch.tensor([1, 7, 12])
    found = together.step.loss(together.train_set.batch(index), len(index))
    expected = 0.0
    for frames, own in zip(dataset.systems, ([1, 7], [2]), strict=True):
        per_atom = options.model_copy(update={"energy_weight": 0.3 * (78 / 18) / frames.n_atoms})
        alone = Trainer(frames, frames, model_options, per_atom, torch.device("cpu"), initial=together.model)
        expected += alone.step.loss(alone.train_set.batch(torch.tensor(own)), len(index))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)


def test_errors_are_means_over_frames(dataset, make_model):
    model = make_model()
    found = errors(model, SystemTensors(dataset, model))
    of_frames = []
    for frames in dataset.systems:
        energies, forces = predict(model, frames)
        of_frames += list(
            zip(abs(energies - frames.energies), abs(forces - frames.forces).mean(axis=(1, 2)), strict=True)
        )
    energy, force = np.mean(of_frames, axis=0) / 0.7
    assert found.energy_mae == pytest.approx(energy)
    assert found.force_mae == pytest.approx(force)


def test_reference_energies_are_least_squares_over_all_systems(make_frames, pair_of_water):
    water = make_frames(10)
    hydrogen = FrameSet(np.array([1, 1]), np.zeros((4, 2, 3)), np.full(4, 2 * OF_H), np.zeros((4, 2, 3)))
    water = replace(water, energies=np.full(10, 2 * OF_H + OF_O))
    for kind in ("mean", "element"):
        assert reference_energies(Dataset((water, hydrogen)), [1, 8], kind) == pytest.approx([OF_H, OF_O])
    # compositions that are multiples of each other leave the split between elements open, not the sum
    multiples = Dataset((water, pair_of_water(water)))
    of_h, of_o = reference_energies(multiples, [1, 8], "mean")
    assert 2 * of_h + of_o == pytest.approx(2 * OF_H + OF_O)


def test_the_scale_is_the_mean_over_frames(dataset):
    squares = [(frames.forces**2).mean() for frames in dataset.systems]
    assert energy_scale(dataset, "forces") == pytest.approx(np.sqrt((10 * squares[0] + 8 * squares[1]) / 18))


def test_a_training_learns_both_systems(make_frames, pair_of_water, model_options, make_options, tmp_path):
    """The offsets of the energies lie far apart; the reference energies take them up."""
    offset = 2 * OF_H + OF_O

    def both(n, seed):
        frames = make_frames(n, seed=seed, offset=offset)
        return Dataset((frames, pair_of_water(make_frames(n, seed=seed + 10, offset=offset))))

    held_out, options = both(6, 1), make_options(epochs=60, learning_rate=5e-3)
    result = train(both(24, 0), held_out, model_options, options, tmp_path)
    for frames in held_out.systems:
        energies, forces = predict(result.model, frames)
        assert abs(forces - frames.forces).mean() < 0.25 * abs(frames.forces).mean()
        assert abs(energies - frames.energies).mean() < frames.energies.std()


def test_a_fitted_prior_is_for_one_system(dataset, model_options: SchNetOptions):
    with pytest.raises(DataError, match=r'fitted to one system, not to toy water, two waters; set "zbl"'):
        choose_prior(dataset, [1, 8], model_options.model_copy(update={"prior": "pair"}))


def typed(frames: FrameSet, types: list[int], factor: float = 1.0) -> FrameSet:
    """Return frames with atom types, and with forces times a factor."""
    return replace(frames, atom_types=np.array(types), forces=factor * frames.forces)


def rms(*systems: FrameSet) -> float:
    squares = np.concatenate([np.mean(frames.forces**2, axis=(1, 2)) for frames in systems])
    return float(np.sqrt(np.average(squares, weights=np.concatenate([f.weights for f in systems]))))


def test_each_system_has_its_rms_force_as_unit(make_frames, pair_of_water):
    small = typed(make_frames(10), [0, 1, 1], 0.1)
    large = typed(pair_of_water(make_frames(8, seed=3)), [2, 3, 3] * 2)
    dataset = Dataset((small, large))
    scales = output_scales(dataset, 2, 4, 0.5)
    expected = [1.0, 1.0, *[rms(small) / 0.5] * 2, *[rms(large) / 0.5] * 2]
    np.testing.assert_allclose(scales, expected, rtol=1e-12)
    # frames of little weight, as augmented ones, hardly matter
    unlike = replace(small, forces=np.concatenate([small.forces[:9], 99 * small.forces[9:]]))
    light = replace(unlike, weights=np.array([1.0] * 9 + [1e-9]))
    assert output_scales(Dataset((light, large)), 2, 4, 0.5)[2] == pytest.approx(rms(light) / 0.5)
    assert rms(light) < 2 * rms(small) < rms(unlike)


def test_systems_with_atom_types_in_common_have_one_unit(make_frames, pair_of_water):
    first, second = typed(make_frames(10), [0, 1, 1], 0.1), typed(make_frames(5, seed=1), [2, 3, 3])
    shared = typed(pair_of_water(make_frames(8, seed=3)), [0, 1, 1] * 2)
    scales = output_scales(Dataset((first, second, shared)), 2, 4, 1.0)
    np.testing.assert_allclose(scales, [1, 1, *[rms(first, shared)] * 2, *[rms(second)] * 2], rtol=1e-12)
    assert output_scales(Dataset((first, shared)), 2, 2, 1.0) is None
    assert output_scales(first, 2, 2, 1.0) is None


def test_systems_with_atoms_without_type_have_one_unit(make_frames, pair_of_water):
    first = typed(make_frames(10), [0, 1, 1], 0.1)
    bare = replace(make_frames(5, seed=1), atom_types=None)
    part = typed(pair_of_water(make_frames(8, seed=3)), [2, 3, 3, -1, -1, -1], 2.0)
    expected = [*[rms(bare, part)] * 2, *[rms(first)] * 2, *[rms(bare, part)] * 2]
    scales = output_scales(Dataset((first, bare, part)), 2, 4, 1.0)
    np.testing.assert_allclose(scales, expected, rtol=1e-12)
    assert output_scales(Dataset((bare, part)), 2, 4, 1.0) is None


def test_targets_and_errors_have_the_units_of_their_systems(make_frames, pair_of_water, make_model):
    small = typed(make_frames(10), [0, 1, 1], 0.1)
    large = typed(pair_of_water(make_frames(8, seed=3)), [2, 3, 3] * 2)
    model = make_model(n_atom_types=4, output_scales=[1.0] * 3 + [0.5, 0.5, 2.0, 2.0])
    for frames, factor in ((small, 0.5), (large, 2.0)):
        tensors = FrameTensors(frames, model)
        assert tensors.unit == factor * float(model.energy_scale)
        np.testing.assert_allclose(tensors.forces.numpy() * tensors.unit, frames.forces, rtol=1e-12)
        energies, forces = predict(model, frames)
        found = errors(model, FrameTensors(frames, model))
        scale = float(model.energy_scale)
        assert found.force_mae * scale == pytest.approx(abs(forces - frames.forces).mean(), rel=1e-9)
        assert found.energy_mae * scale == pytest.approx(abs(energies - frames.energies).mean(), rel=1e-9)
        assert found.force_mse * scale**2 == pytest.approx(((forces - frames.forces) ** 2).mean(), rel=1e-9)


def test_a_trained_model_has_the_units_of_its_systems_and_its_checkpoint_too(
    make_frames, pair_of_water, tmp_path, model_options, make_options
):
    small = typed(make_frames(10), [0, 1, 1], 0.1)
    large = typed(pair_of_water(make_frames(8, seed=3)), [2, 3, 3] * 2)
    dataset = Dataset((small, large))
    model = train(dataset, dataset, model_options, make_options(epochs=2), tmp_path, device="cpu").model
    scale = float(model.energy_scale)
    expected = [1.0, 1.0, *[rms(small) / scale] * 2, *[rms(large) / scale] * 2]
    assert model.output_scales.tolist() == pytest.approx(expected, rel=1e-6)
    restored = restore_model(tmp_path / "checkpoint.pt", model_options, [1, 8])
    for frames in (small, large):
        for found, expected in zip(predict(restored, frames), predict(model, frames), strict=True):
            np.testing.assert_array_equal(found, expected)
    fixed = make_options(epochs=1, scale="eV")
    assert train(dataset, dataset, model_options, fixed, tmp_path, device="cpu").model.output_scales is None

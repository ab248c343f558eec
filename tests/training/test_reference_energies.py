"""Large offsets cost no precision, and references are least squares."""

import numpy as np
import pytest
import torch

from mdaug.errors import DataError
from mdaug.training import predict, train
from mdaug.training.evaluation import errors
from mdaug.training.references import reference_energies
from mdaug.training.tensors import FrameTensors, energy_scale
from mdaug.units import EV_PER_KCAL_MOL

OFFSET = -97_000 * EV_PER_KCAL_MOL


def test_references_give_the_mean_energy(make_frames):
    frames = make_frames(offset=OFFSET)
    mean = frames.energies.mean()
    each = reference_energies(frames, [1, 8], "mean")
    assert each[0] == each[1] == pytest.approx(mean / 3)
    fitted = reference_energies(frames, [1, 8], "element")
    expected, *_ = np.linalg.lstsq(np.tile([2.0, 1.0], (len(frames), 1)), frames.energies, rcond=None)
    assert fitted == pytest.approx(list(expected))
    assert 2 * fitted[0] + fitted[1] == pytest.approx(mean, abs=1e-9)


def test_scales(make_frames):
    frames = make_frames()
    assert energy_scale(frames, "forces") == pytest.approx(np.sqrt((frames.forces**2).mean()))
    assert energy_scale(frames, "kcal/mol") == EV_PER_KCAL_MOL
    assert energy_scale(frames, "eV") == 1.0


@pytest.mark.parametrize("reference", ["mean", "element"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_offset_of_a_whole_molecule_changes_nothing_but_the_offset(
    make_frames, model_options, make_options, tmp_path, *, dtype, reference
):
    """CCSD(T) energies of ethanol lie at −97,000 kcal/mol, where float32 tells 8 meV apart at best."""
    options = make_options(epochs=3, dtype=dtype, reference=reference)
    predictions = {}
    for offset in (0.0, OFFSET):
        frames = make_frames(offset=offset), make_frames(6, seed=1, offset=offset)
        model = train(*frames, model_options, options, tmp_path / str(offset)).model
        predictions[offset] = predict(model, make_frames(9, seed=2))
    np.testing.assert_allclose(predictions[OFFSET][0] - OFFSET, predictions[0.0][0], atol=1e-6)
    np.testing.assert_allclose(predictions[OFFSET][1], predictions[0.0][1], atol=1e-6)


def test_targets_keep_their_precision_beside_an_offset(make_frames, make_model):
    frames = make_frames(offset=OFFSET)
    model = make_model().float()
    references = reference_energies(frames, [1, 6, 8], "mean")
    model.reference_energies[:] = torch.tensor(references, dtype=torch.float64)
    tensors = FrameTensors(frames, model)
    expected = (frames.energies - frames.energies.mean()) / 0.7
    assert tensors.energies.dtype == torch.float32
    np.testing.assert_allclose(tensors.energies, expected, atol=1e-6)
    np.testing.assert_allclose(tensors.forces * 0.7, frames.forces, rtol=1e-6, atol=1e-6)


def test_predictions_and_errors_are_in_the_right_units(make_frames, make_model):
    frames, model = make_frames(), make_model()
    energies, forces = predict(model, frames)
    found = errors(model, FrameTensors(frames, model))
    assert found.energy_mae * 0.7 == pytest.approx(np.abs(energies - frames.energies).mean())
    assert found.force_mae * 0.7 == pytest.approx(np.abs(forces - frames.forces).mean())
    assert found.force_mse * 0.49 == pytest.approx(np.square(forces - frames.forces).mean())
    assert found.energy_mse * 0.49 == pytest.approx(np.square(energies - frames.energies).mean())


def test_frames_with_an_unknown_element_are_refused(make_frames, make_model):
    frames, model = make_frames(), make_model()
    frames.atomic_numbers[1] = 7
    for ask in (lambda: predict(model, frames), lambda: FrameTensors(frames, model)):
        with pytest.raises(DataError, match="toy water has N, which the model was not trained on"):
            ask()

"""Forces of atoms that were fixed, and units that are not advised where forces are of other positions."""

from dataclasses import replace

import numpy as np
import pytest

from mdaug.data.load import read_frames
from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.verify import AT_LOAD, verify_frames
from mdaug.frames import FrameSet
from mdaug.geometry.bonds import bond_name
from mdaug.verdicts import Verdict
from tests.fuzz.samples import EQUILIBRIUM, spring_frames


@pytest.fixture(scope="module", params=["methanol", "silicon"])
def clean(request: pytest.FixtureRequest) -> FrameSet:
    return read_frames(f"tests/data/{request.param}.npz").frames.evenly_spaced(60)


@pytest.fixture(scope="module")
def methanol() -> FrameSet:
    return read_frames("tests/data/methanol.npz").frames


def _verdicts(frames: FrameSet) -> dict[str, Verdict]:
    found = verify_frames(frames, StatedUnits.of_energy("eV"), AT_LOAD).verdicts
    return {verdict.name: verdict for verdict in found}


@pytest.mark.parametrize("every", [1, 4], ids=["in all frames", "in some frames"])
def test_bonded_atoms_without_force_are_named(clean: FrameSet, every: int) -> None:
    assert _verdicts(clean)["forces of all atoms"].verdict == "ok"
    forces = clean.forces.copy()
    forces[::every, 1] = 0.0
    verdict = _verdicts(replace(clean, forces=forces))["forces of all atoms"]
    assert verdict.verdict == "warning"
    assert bond_name(clean.atomic_numbers, [1]) in verdict.text and "apply_constraint=False" in verdict.text


def test_an_atom_far_from_all_others_may_have_no_force(methanol: FrameSet) -> None:
    far = np.full((len(methanol), 1, 3), 30.0)
    frames = FrameSet(
        np.append(methanol.atomic_numbers, 18),
        np.concatenate([methanol.positions, far], axis=1),
        methanol.energies,
        np.concatenate([methanol.forces, np.zeros_like(far)], axis=1),
    )
    assert _verdicts(frames)["forces of all atoms"].verdict == "ok"


def test_units_do_not_explain_forces_of_other_axes() -> None:
    water = spring_frames([8, 1, 1], EQUILIBRIUM, n_frames=100)
    verdicts = _verdicts(replace(water, forces=water.forces.transpose(0, 2, 1)))
    assert verdicts["forces belong to the positions"].verdict == "error"
    assert not any("which fits" in verdict.text for verdict in verdicts.values())


def test_units_do_not_explain_forces_that_fixed_atoms_lack() -> None:
    molecule = spring_frames([1, 1], np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.75]]), n_frames=100)
    forces = molecule.forces.copy()
    forces[:, 0] = 0.0
    verdict = _verdicts(replace(molecule, forces=forces))["energies against forces"]
    assert verdict.verdict == "error"
    assert "exactly zero" in verdict.text and "--force-units" not in verdict.text

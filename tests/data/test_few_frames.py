"""Systems with too few frames for checks of their own are checked together."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mdaug.data.load import load_frames, load_systems
from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.few_frames import ENERGIES, FORCES, FRAMES, few_frames_verdicts
from mdaug.data.write import write_extxyz
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.units import EV_PER_ENERGY_UNIT, KCAL_MOL_PER_EV

A_PER_BOHR = 0.529177
HARTREE = EV_PER_ENERGY_UNIT["Hartree"]


@pytest.fixture
def few(ethanol) -> list[FrameSet]:
    """Return ten sets of eight frames."""
    return [replace(ethanol.select(np.arange(100 * n, 100 * n + 96, 12)), name=f"set {n}") for n in range(10)]


def in_units(frames: FrameSet, energy: float = 1.0, force: float = 1.0) -> FrameSet:
    return replace(frames, energies=frames.energies * energy, forces=frames.forces * force)


def shuffled(frames: FrameSet) -> FrameSet:
    return replace(frames, energies=np.random.default_rng(0).permutation(frames.energies))


def verdicts_of(systems: list[FrameSet]) -> dict[str, tuple[str, str]]:
    found = few_frames_verdicts(systems, StatedUnits.of_energy("eV"))
    return {verdict.name: (verdict.verdict, verdict.text) for verdict in found}


def test_right_frames_pass(few):
    assert {verdict for verdict, _ in verdicts_of(few).values()} == {"ok"}


def test_rotated_frames_pass(few):
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    for n, frames in enumerate(few):
        positions, forces = frames.positions.copy(), frames.forces.copy()
        positions[::2] = positions[::2] @ turn + 3.0
        forces[::2] = forces[::2] @ turn
        few[n] = replace(frames, positions=positions, forces=forces)
    assert {verdict for verdict, _ in verdicts_of(few).values()} == {"ok"}


@pytest.mark.parametrize(
    ("change", "name", "advice"),
    [
        (lambda frames: in_units(frames, 1 / HARTREE), ENERGIES, "--units Hartree --force-units eV/Angstrom"),
        (lambda frames: in_units(frames, KCAL_MOL_PER_EV, KCAL_MOL_PER_EV), FORCES, "--units kcal/mol"),
        (lambda frames: in_units(frames, 1, KCAL_MOL_PER_EV), FORCES, "--force-units kcal/mol/Angstrom"),
        (lambda frames: in_units(frames, 1, -1), FORCES, "wrong sign"),
        (lambda frames: in_units(frames, -1), ENERGIES, "wrong sign"),
        (lambda frames: in_units(frames, 1 / frames.n_atoms), ENERGIES, "energies per atom"),
        (shuffled, ENERGIES, "do not belong to the frames"),
    ],
)
def test_a_fault_of_all_systems_is_an_error(
    few, change: Callable[[FrameSet], FrameSet], name: str, advice: str
):
    verdict, text = verdicts_of([change(frames) for frames in few])[name]
    assert verdict == "error"
    assert advice in text


def test_forces_of_some_frames_in_another_unit_name_these_frames(few):
    for n in (2, 5, 7):
        forces = few[n].forces.copy()
        forces[3] *= KCAL_MOL_PER_EV
        few[n] = replace(few[n], forces=forces)
    verdict, text = verdicts_of(few)[FRAMES]
    assert verdict == "error"
    assert "of set 2" in text and "of set 5" in text and "of set 1" not in text


def test_energies_of_one_system_in_another_unit_name_this_system(few):
    few[4] = in_units(few[4], KCAL_MOL_PER_EV)
    verdict, text = verdicts_of(few)[ENERGIES]
    assert verdict == "error"
    assert "set 4" in text and "set 5" not in text


@pytest.mark.parametrize("n", [2, 10])
def test_a_slope_that_may_be_right_decides_nothing(few, n):
    verdict, text = verdicts_of([in_units(frames, 1, A_PER_BOHR) for frames in few[:n]])[ENERGIES]
    assert verdict == "cannot tell"
    assert "expected 0.7 to 1.43" in text


def test_a_system_whose_works_mean_nothing_is_not_named(few):
    """Frames that are farther apart than the energy is smooth: slope −0.5, correlation −0.7."""
    few[0] = of_waves(few[0], amplitude=0.005, wavenumber=30.0)
    assert verdicts_of(few)[ENERGIES][0] == "ok"


def of_waves(frames: FrameSet, amplitude: float, wavenumber: float) -> FrameSet:
    """Return frames with the energy Σ A cos(k·d) over pairs of atoms, A in eV and k in 1/Å."""
    r_ij = frames.positions[:, :, None] - frames.positions[:, None]
    itself = np.eye(frames.n_atoms)
    d_ij = np.linalg.norm(r_ij, axis=-1) + itself
    energies = amplitude * ((1 - itself) * np.cos(wavenumber * d_ij)).sum(axis=(1, 2)) / 2
    pull = amplitude * wavenumber * (1 - itself) * np.sin(wavenumber * d_ij) / d_ij
    return replace(frames, energies=energies, forces=np.einsum("nij,nijx->nix", pull, r_ij))


def test_too_few_frames_have_no_verdict(few):
    assert verdicts_of(few[:1]) == {}
    assert verdicts_of([frames.select([0]) for frames in few]) == {}


def test_shuffled_energies_of_a_dozen_frames_decide_nothing(ethanol):
    assert verdicts_of([shuffled(ethanol.select(np.arange(0, 300, 25)))])[ENERGIES][0] != "error"


@pytest.mark.parametrize("load", [load_frames, load_systems])
def test_a_file_of_few_frames_in_two_units_is_refused(ethanol, tmp_path, load):
    write_extxyz(in_units(ethanol.select(np.arange(0, 90, 6)), 1 / HARTREE), tmp_path / "few.xyz")
    with pytest.raises(DataError, match="--units Hartree --force-units eV/Angstrom, which fits"):
        load(tmp_path / "few.xyz", temperature_K=500)
    load(tmp_path / "few.xyz", temperature_K=500, units="Hartree", force_units="eV/Angstrom")

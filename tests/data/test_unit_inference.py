"""A wrong energy unit is caught, a right one never, whatever the source."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from mdaug.data import load_frames
from mdaug.data.unit_check import check_units, warn_of_contacts
from mdaug.errors import DataError
from mdaug.frames import FrameSet

FACTORS = (23.06, 1 / 23.06, 1000.0, 1e-3, 27.21, 1 / 27.21)
REFERENCE_SETS = (
    ("ethanol_ccsd_t_1000.npz", "kcal/mol"),
    ("ethanol_md17_pbe_2000.xyz", "kcal/mol"),
    ("si64_pbe_110.xyz", "eV"),
    ("ethanol_nff_dataset.pth.tar", "kcal/mol"),
)
SOURCES = (
    pytest.param(("ethanol", "eV"), id="embedded"),
    *(
        pytest.param(source, id=source[0], marks=pytest.mark.reference_sets(source[0]))
        for source in REFERENCE_SETS
    ),
)


@pytest.fixture(scope="module", params=SOURCES)
def real(request: pytest.FixtureRequest, reference_set) -> tuple[FrameSet, str]:
    """Real frames, read in their true unit: this alone would fail if that were refused."""
    name, units = request.param
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = name if name == "ethanol" else reference_set(name)
        return load_frames(source, units=units), units


def _scaled(frames: FrameSet, factor: float) -> FrameSet:
    return replace(frames, energies=frames.energies * factor, forces=frames.forces * factor)


def test_real_frames_pass_without_a_word(real: tuple[FrameSet, str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_units(*real)
        warn_of_contacts(real[0])


def test_lengths_in_nm_are_told(real: tuple[FrameSet, str]) -> None:
    frames = replace(real[0], positions=0.1 * real[0].positions)
    if frames.cells is None:
        with pytest.warns(UserWarning, match=r"frame 0: atoms \d+ and \d+ are 0.\d+ Å apart, nearer than"):
            warn_of_contacts(frames)


@pytest.mark.parametrize("factor", FACTORS)
def test_every_wrong_unit_is_refused(real: tuple[FrameSet, str], factor: float) -> None:
    with pytest.raises(DataError, match=r"implausible units: .* (with|state) --units"):
        check_units(_scaled(real[0], factor), real[1])


@pytest.mark.parametrize("factor", FACTORS)
def test_energies_that_do_not_fit_the_forces_are_told(real: tuple[FrameSet, str], factor: float) -> None:
    with pytest.warns(UserWarning, match="energies spread by"):
        check_units(replace(real[0], energies=real[0].energies * factor), real[1])


@pytest.mark.parametrize(
    ("true", "stated", "factor"),
    [
        ("kcal/mol", "eV", 23.0605),
        ("eV", "kcal/mol", 1 / 23.0605),
        ("meV", "eV", 1e3),
        ("Hartree", "eV", 1 / 27.2114),
    ],
)
def test_the_message_names_the_unit_that_fits(
    ethanol: FrameSet, true: str, stated: str, factor: float
) -> None:
    with pytest.raises(
        DataError, match=f"forces read in {stated}/Å are about .* state --units {true}, which fits"
    ):
        check_units(_scaled(ethanol, factor), stated)


def test_the_stiffness_is_that_of_the_bond() -> None:
    """A harmonic O-H oscillator with k = 48 eV/Å² is plausible, one with 48·23 is not."""
    rng = np.random.default_rng(0)
    stretch = rng.normal(0, 0.03, 50)

    def oscillator(k: float) -> FrameSet:
        positions, forces = np.zeros((50, 2, 3)), np.zeros((50, 2, 3))
        positions[:, 1, 2] = 0.97 + stretch
        forces[:, 1, 2], forces[:, 0, 2] = -k * stretch, k * stretch
        return FrameSet(np.array([8, 1]), positions, k / 2 * stretch**2, forces, name="OH")

    check_units(oscillator(48.0), "eV")
    with pytest.raises(
        DataError, match=r"bond O-H would have a stiffness of 1.11e\+03 eV/Å²; expected about 46"
    ):
        check_units(oscillator(48.0 * 23.06), "eV")


def test_few_frames_are_only_asked_for_sane_forces(ethanol: FrameSet) -> None:
    check_units(_scaled(ethanol.select(slice(0, 3)), 1 / 23.06), "eV")
    with pytest.raises(DataError, match="eV/Å rms per component when read in eV"):
        check_units(_scaled(ethanol.select(slice(0, 3)), 1000), "eV")


def test_rare_gases_have_no_bonds_to_judge_by(chain: FrameSet) -> None:
    check_units(chain, "eV")

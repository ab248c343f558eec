"""A wrong energy unit is caught, a right one never, whatever the source."""

import warnings
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from mdaug.data import load_frames
from mdaug.data.stated_units import StatedUnits, energy_unit, force_unit, length_unit, stated_units
from mdaug.data.verification.structure import contact_verdict
from mdaug.data.verification.verify import AT_LOAD, verify_frames
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.verdicts import Verdict

pytestmark = pytest.mark.slow

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


def _verdicts(frames: FrameSet, units: str | StatedUnits) -> dict[str, Verdict]:
    stated = StatedUnits.of_energy(units) if isinstance(units, str) else units
    return {verdict.name: verdict for verdict in verify_frames(frames, stated, AT_LOAD).verdicts}


def _unit_verdicts(frames: FrameSet, units: str | StatedUnits) -> list[Verdict]:
    names = ("nearest atoms", "unit of lengths", "unit of forces", "energies against forces")
    return [verdict for name, verdict in _verdicts(frames, units).items() if name in names]


def test_real_frames_pass_without_a_word(real: tuple[FrameSet, str]) -> None:
    levels = {verdict.verdict for verdict in _unit_verdicts(*real)}
    assert levels <= {"ok", "cannot tell"}


def test_lengths_in_nm_are_refused(real: tuple[FrameSet, str]) -> None:
    cells = None if real[0].cells is None else 0.1 * real[0].cells
    frames = replace(real[0], positions=0.1 * real[0].positions, cells=cells)
    verdict = _verdicts(frames, real[1])["unit of lengths"]
    assert verdict.verdict == "error"
    assert "--length-units nm" in verdict.text
    if frames.cells is None:
        assert contact_verdict(frames).verdict == "warning"


@pytest.mark.parametrize("factor", FACTORS)
def test_every_wrong_unit_is_refused(real: tuple[FrameSet, str], factor: float) -> None:
    verdict = _verdicts(_scaled(real[0], factor), real[1])["unit of forces"]
    assert verdict.verdict == "error"
    assert "implausible units" in verdict.text
    assert "--units" in verdict.text


@pytest.mark.parametrize("factor", FACTORS)
def test_energies_that_do_not_fit_the_forces_are_refused(real: tuple[FrameSet, str], factor: float) -> None:
    frames = replace(real[0], energies=real[0].energies * factor)
    assert _verdicts(frames, real[1])["energies against forces"].verdict == "error"


@pytest.mark.parametrize(
    ("true", "stated", "energy", "force"),
    [
        ("--units kcal/mol", "eV", 23.0605, 23.0605),
        ("--units eV", "kcal/mol", 1 / 23.0605, 1 / 23.0605),
        ("--units meV", "eV", 1e3, 1e3),
        ("--units kJ/mol", "kcal/mol", 4.184, 4.184),
        ("--units kcal/mol", "kJ/mol", 1 / 4.184, 1 / 4.184),
        ("--units Hartree", "eV", 1 / 27.2114, 1 / 27.2114),
        ("--units Hartree --force-units Hartree/Bohr", "Hartree", 1.0, 0.529177),
        ("--units Hartree --force-units Hartree/Bohr", "eV", 1 / 27.2114, 0.529177 / 27.2114),
        ("--units eV --force-units Hartree/Bohr", "eV", 1.0, 0.529177 / 27.2114),
        ("--units kcal/mol --force-units Hartree/Bohr", "kcal/mol", 1.0, 0.529177 / 627.509),
        ("--units Ry --force-units Ry/Bohr", "eV", 1 / 13.6057, 0.529177 / 13.6057),
        ("--units Ry --force-units Ry/Bohr", "Hartree", 2.0, 2 * 0.529177),
    ],
)
def test_the_message_names_the_units_that_fit(
    ethanol: FrameSet, true: str, stated: str, energy: float, force: float
) -> None:
    frames = replace(ethanol, energies=ethanol.energies * energy, forces=ethanol.forces * force)
    errors = [verdict.text for verdict in _unit_verdicts(frames, stated) if verdict.verdict == "error"]
    assert errors
    for text in errors:
        assert f"{true}" in text
        assert "/Bohr" in text or "/Bohr" not in true


def test_positions_in_bohr(ethanol: FrameSet) -> None:
    frames = replace(ethanol, positions=ethanol.positions / 0.529177)
    verdict = _verdicts(frames, "eV")["unit of lengths"]
    assert verdict.verdict == "error"
    assert "--units eV --force-units eV/Angstrom --length-units Bohr" in verdict.text
    everything = replace(frames, forces=ethanol.forces * 0.529177)
    errors = [verdict for verdict in _unit_verdicts(everything, "eV") if verdict.verdict == "error"]
    assert [verdict.name for verdict in errors] == ["unit of lengths", "energies against forces"]
    for verdict in errors:
        assert "--units eV --length-units Bohr" in verdict.text


def test_positions_in_angstrom_read_in_bohr(ethanol: FrameSet) -> None:
    frames = replace(ethanol, positions=ethanol.positions * 0.529177)
    stated = StatedUnits("Hartree", "Hartree", "Bohr", "Bohr")
    errors = [v.text for v in verify_frames(frames, stated, AT_LOAD).verdicts if v.verdict == "error"]
    assert errors
    for text in errors:
        assert "--units Hartree --force-units Hartree/Bohr --length-units Angstrom" in text


def test_the_stiffness_is_that_of_the_bond() -> None:
    """A harmonic O-H oscillator with k = 48 eV/Å² is plausible, one with 48·23 is not."""
    rng = np.random.default_rng(0)
    stretch = rng.normal(0, 0.03, 50)

    def oscillator(k: float) -> FrameSet:
        positions, forces = np.zeros((50, 2, 3)), np.zeros((50, 2, 3))
        positions[:, 1, 2] = 0.97 + stretch
        forces[:, 1, 2], forces[:, 0, 2] = -k * stretch, k * stretch
        return FrameSet(np.array([8, 1]), positions, k / 2 * stretch**2, forces, name="OH")

    assert _verdicts(oscillator(48.0), "eV")["unit of forces"].verdict == "ok"
    refused = _verdicts(oscillator(48.0 * 23.06), "eV")["unit of forces"]
    assert refused.verdict == "error"
    assert "bond O-H would have a stiffness of 1.11e+03 eV/Å²; expected about 46" in refused.text


def test_few_frames_need_sane_forces(ethanol: FrameSet) -> None:
    few = ethanol.select(slice(0, 3))
    assert _verdicts(_scaled(few, 1 / 23.06), "eV")["unit of forces"].verdict == "cannot tell"
    refused = _verdicts(_scaled(few, 1000), "eV")["unit of forces"]
    assert refused.verdict == "error"
    assert "eV/Å rms per component when read in eV" in refused.text


def test_noble_gases_have_no_bonds_to_judge_by(chain: FrameSet) -> None:
    verdicts = _verdicts(chain, "eV")
    assert verdicts["unit of lengths"].verdict == "cannot tell"
    assert verdicts["unit of forces"].verdict == "cannot tell"


@pytest.mark.parametrize(
    ("spelling", "unit"),
    [
        ("kcal mol-1", "kcal/mol"),
        ("kJ mol^-1", "kJ/mol"),
        ("Ha", "Hartree"),
        ("a.u.", "Hartree"),
        ("Rydberg", "Ry"),
        ("EV", "eV"),
    ],
)
def test_spellings_of_energy_units(spelling: str, unit: str) -> None:
    assert energy_unit(spelling) == unit


def test_spellings_of_lengths_and_forces() -> None:
    assert length_unit("Angstroms") == length_unit("Å") == length_unit("ang") == "Angstrom"
    assert length_unit("bohr") == length_unit("a0") == "Bohr"
    assert force_unit("kcal mol-1 A-1") == force_unit("kcal/mol/Angstrom") == ("kcal/mol", "Angstrom")
    assert force_unit("Hartree/Bohr") == force_unit("Ha/bohr") == force_unit("a.u.") == ("Hartree", "Bohr")
    with pytest.raises(DataError, match=r"f.xyz: unknown force unit 'N'; expected eV/Angstrom"):
        force_unit("N", "f.xyz")


def test_stated_units_replace_those_of_the_format() -> None:
    default = StatedUnits("Hartree", "Hartree", "Bohr")
    assert stated_units(default) == default
    assert stated_units(default, energy="eV") == StatedUnits("eV", "eV", "Bohr")
    assert stated_units(StatedUnits.of_energy("eV"), length="Bohr") == StatedUnits("eV", "eV", "Bohr", "Bohr")
    with_forces = stated_units(StatedUnits.of_energy("eV"), "Hartree", "Hartree/Bohr")
    assert with_forces.ev_a_per_force == pytest.approx(27.211386 / 0.529177, rel=1e-5)


def test_options_state_the_units_whatever_those_of_the_format() -> None:
    """The units that the advised options give are those that fit."""
    energies, lengths = ("eV", "Hartree", "kcal/mol"), ("Angstrom", "Bohr")
    every = [StatedUnits(*units) for units in product(energies, energies, lengths, lengths)]
    for default, fitting in product(every, every):
        words = fitting.options(default).split()
        given = dict(zip(words[::2], words[1::2], strict=True))
        names = ("--units", "--force-units", "--length-units")
        assert stated_units(default, *(given.get(name) for name in names)) == fitting

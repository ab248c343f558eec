"""Each kind of failure of a run is found, and the first one counts."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from mdaug.analysis.survival import SurvivalResult, survival
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.units import EV_PER_KCAL_MOL

MEAN_A, RANGE_A = np.array([0.96, 0.96]), np.array([[0.9, 1.02], [0.9, 1.02]])
WATER = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Make a run of 10 frames, 0.1 ps apart, a bond stretched and the energy lowered from a frame on."""
    import MDAnalysis as mda

    from mdaug.analysis import survival as module

    frames = {}

    def make(name, *, broken_from=None, fallen_from=None):
        folder = tmp_path / name
        folder.mkdir()
        rows, structures = ["step,time_fs,potential_eV,kinetic_eV,total_eV,temperature_K"], []
        for k in range(10):
            atoms = WATER.copy()
            if broken_from is not None and k >= broken_from:
                atoms.positions[1, 0] = 2.0
            energy = 0.1 if fallen_from is None or k < fallen_from else -6.0 * EV_PER_KCAL_MOL
            rows.append(f"{100 * k},{100 * k},{energy},0.2,{energy + 0.2},1000")
            structures.append(atoms)
        (folder / "thermo.csv").write_text("\n".join(rows) + "\n")
        write(folder / "all.xyz", structures)
        frames[folder] = mda.Universe(str(folder / "all.xyz"), dt=0.1)
        return folder

    monkeypatch.setattr(module, "open_trajectory", lambda folder: frames[folder])
    return make


def judge(folders, stopped):
    bonds = TrainingBonds(WATER.numbers, np.array([[0, 1], [0, 2]]), MEAN_A, RANGE_A)
    return survival(folders, stopped, bonds, temperature_K=1000.0, duration_ps=1.0, minimum_eV=0.0)


def test_a_run_that_keeps_its_bonds_lives(run):
    result = judge([run("a"), run("b")], [None, None])
    assert result.n_survived == 2 and result.first_failure is None
    assert result.verdict.verdict == "ok" and "2 of 2 runs lived 1 ps" in result.verdict.text


def test_the_first_of_all_failures_counts(run):
    folders = [run("a", broken_from=7), run("b", fallen_from=3, broken_from=5), run("c"), run("d")]
    result = judge(folders, [None, None, "atoms collided", None])
    assert [life.lived_ps for life in result.lives] == pytest.approx([0.7, 0.3, 0.9, 1.0], abs=1e-6)
    assert result.lives[0].failure == "O0-H1 broke" and result.lives[0].broken_bond == (0, 1)
    assert "below the minimum" in result.lives[1].failure
    assert result.lives[2].failure == "atoms collided"
    assert (result.n_survived, result.first_failure) == (1, 1)
    assert result.verdict.verdict == "error" and result.verdict.value == 3
    assert result.to_json()["n_survived"] == 1


def test_bonds_of_hotter_runs_than_the_frames_may_deviate_more(run):
    """By the root of the temperature: 1.04 Å are more than 0.5 Å, and less than 0.5 Å √5."""
    bonds = TrainingBonds(WATER.numbers, np.array([[0, 1]]), MEAN_A[:1], RANGE_A[:1])
    folder = run("a", broken_from=5)
    for frames_temperature_K, n_survived in ((None, 0), (1000.0, 0), (2000.0, 0), (200.0, 1)):
        result = survival(
            [folder],
            [None],
            bonds,
            temperature_K=1000.0,
            duration_ps=1.0,
            minimum_eV=None,
            frames_temperature_K=frames_temperature_K,
        )
        assert result.n_survived == n_survived


def test_without_a_minimum_energies_are_not_judged(run):
    bonds = TrainingBonds(WATER.numbers, np.array([[0, 1]]), MEAN_A[:1], RANGE_A[:1])
    folders = [run("a", fallen_from=2)]
    result = survival(folders, [None], bonds, temperature_K=1000.0, duration_ps=1.0, minimum_eV=None)
    assert isinstance(result, SurvivalResult) and result.n_survived == 1

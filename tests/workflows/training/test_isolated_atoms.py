"""Isolated atoms in a training: not trained on, references instead, named in the record, info and report."""

import json
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase import Atoms

from mdaug.cli.app import main
from mdaug.data import load_frames, write_extxyz
from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.models import SchNet
from mdaug.workflows.settings.config import load_config, load_recorded_config
from mdaug.workflows.train import train_force_field
from mdaug.workflows.training.data import load_training_data

SMALL = {
    "split": {"train": 12, "validation": 4, "test": 4},
    "augment": {"enabled": False},
    "model": {"n_atom_basis": 8, "n_filters": 8, "n_interactions": 1, "n_gaussians": 8, "n_knots": 16},
    "training": {"epochs": 1, "batch_size": 6},
}
E0S = {"H": -10.0, "C": -40.0, "O": -90.0}


def with_atoms(path, energies, **info):
    """Write isolated atoms and ethanol with the energies of these less 3 eV per atom."""
    ethanol = load_frames("ethanol").select(slice(0, 20))
    bound = sum(E0S[symbol] for symbol in Atoms(ethanol.atomic_numbers).symbols) - 27.0
    shifted = replace(ethanol, energies=ethanol.energies - ethanol.energies.mean() + bound)
    write_extxyz(shifted, path)
    atoms = [Atoms(s, info={"energy": e, "config_type": "IsolatedAtom"} | info) for s, e in energies.items()]
    ase.io.write(path.with_suffix(".atoms"), atoms, format="extxyz")
    path.write_text(path.with_suffix(".atoms").read_text() + path.read_text())
    return shifted


def trained(path, folder, **training):
    config = load_config(changes=SMALL | {"data": {"source": str(path)}}).replace({"training": training})
    return train_force_field(config, folder, device="cpu")


def test_atoms_are_references_and_no_frames(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    ethanol = with_atoms(tmp_path / "ethanol.xyz", E0S)
    outcome = trained(tmp_path / "ethanol.xyz", tmp_path / "run")
    assert outcome.sets.train.n_atoms == 9
    model: SchNet = outcome.training.model
    of_h, of_c, of_o = model.reference_energies.tolist()
    assert (of_c - of_h, of_o - of_h) == pytest.approx((-30.0, -80.0))
    mean = outcome.sets.train.energies.mean()
    assert 6 * of_h + 2 * of_c + of_o == pytest.approx(mean, abs=1e-6)
    assert len(ethanol) == 20
    text = "frames of isolated atoms (H -10, C -40, O -90 eV), plus the mean of what is left, per atom"
    assert read_manifest(outcome.model_path)["training"]["reference_energies"] == text
    assert json.loads((tmp_path / "run" / "results.json").read_text())["reference_energies"] == text
    assert text in (tmp_path / "run" / "report.html").read_text()
    assert main(["info", str(tmp_path / "run")]) == 0
    assert "reference energies frames of isolated atoms" in " ".join(capsys.readouterr().out.split())
    recorded = load_recorded_config(tmp_path / "run" / "config.toml")
    assert recorded.training.e0s is None  # the frames have them
    assert load_training_data(recorded)[0].isolated_atoms == pytest.approx(E0S)


def test_stated_energies_take_precedence_and_are_recorded(tmp_path):
    with_atoms(tmp_path / "ethanol.xyz", E0S | {"H": -11.0})
    outcome = trained(tmp_path / "ethanol.xyz", tmp_path / "run", e0s=E0S)
    assert outcome.references.startswith("isolated atoms, as set (H -10, C -40, O -90 eV)")
    assert load_recorded_config(tmp_path / "run" / "config.toml").training.e0s == E0S
    with pytest.raises(DataError, match="--e0s have no energy of C, O; expected those of isolated atoms"):
        trained(tmp_path / "ethanol.xyz", tmp_path / "other", e0s="H=-10")


def test_atoms_of_some_elements_only_are_not_used(tmp_path):
    with_atoms(tmp_path / "ethanol.xyz", {"H": -10.0})
    outcome = trained(tmp_path / "ethanol.xyz", tmp_path / "run")
    assert (
        outcome.references == "one mean per atom; the frames of isolated atoms have no C, O and are not used"
    )
    assert len(set(np.round(outcome.training.model.reference_energies.tolist(), 9))) == 1


def test_atoms_at_another_level_of_theory(tmp_path):
    """Refused by name; noticed by energies that no bonds explain."""
    with_atoms(tmp_path / "named.xyz", E0S, level_of_theory="PBE")
    config = load_config(changes=SMALL | {"data": {"source": str(tmp_path / "named.xyz")}})
    with pytest.raises(DataError, match="one network cannot learn both"):
        load_training_data(config)
    with_atoms(tmp_path / "hartree.xyz", {symbol: energy / 27.2 for symbol, energy in E0S.items()})
    config = load_config(changes=SMALL | {"data": {"source": str(tmp_path / "hartree.xyz")}})
    with pytest.warns(UserWarning, match="eV per atom relative to isolated atoms; expected -9 to 0.3"):
        load_training_data(config)


def test_atoms_in_a_file_of_their_own(tmp_path):
    with_atoms(tmp_path / "both.xyz", E0S)
    write_extxyz(load_frames("ethanol").select(slice(0, 20)), tmp_path / "ethanol.xyz")
    files = [str(tmp_path / name) for name in ("ethanol.xyz", "both.atoms")]
    config = load_config(changes=SMALL | {"data": {"sources": [{"source": file} for file in files]}})
    (system,) = load_training_data(config)
    assert system.isolated_atoms == pytest.approx(E0S)
    only = load_config(changes=SMALL | {"data": {"source": files[1]}})
    with pytest.raises(DataError, match="only isolated atoms"):
        load_training_data(only)

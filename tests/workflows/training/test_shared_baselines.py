"""A model of several systems of which some have a baseline: those whose force-matched field can be one."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mdaug.augmentation.force_matching.initial_field import initial_force_field
from mdaug.augmentation.generate import Augmentation
from mdaug.augmentation.label_rules import NO_RULE
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.calculators.molecules import MoleculeFinder
from mdaug.calculators.predictions import predict
from mdaug.calculators.structures import StructureError
from mdaug.cli.app import main
from mdaug.data import load_frames, write_extxyz
from mdaug.deployment import export_model, read_manifest
from mdaug.frames import FrameSet
from mdaug.models.baseline import Baseline
from mdaug.training.evaluation import predict as network_results
from mdaug.verdicts import Verdict
from mdaug.workflows.export import export_run
from mdaug.workflows.settings.config import RunConfig, load_config
from mdaug.workflows.train import train_force_field
from mdaug.workflows.training import systems_choice
from mdaug.workflows.training.baseline import BaselineChoice, make_baseline, present_templates
from mdaug.workflows.training.outcome import TrainingOutcome
from mdaug.workflows.training.sets import Sets
from mdaug.workflows.training.shared_baselines import shared_baselines
from mdaug.workflows.training.systems_choice import _own_baselines
from tests.force_fields import frames_near, random_field
from tests.workflows.conftest import TINY

DATA = Path(__file__).parents[2] / "data"
UNSOUND = BaselineChoice(False, "held-out forces are off by 50 %")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[str]:
    """Return files of methanol and of ethanol, as if both were at one level of theory."""
    folder = tmp_path_factory.mktemp("frames")
    for name, source in (("methanol", DATA / "methanol.npz"), ("ethanol", "ethanol")):
        frames = load_frames(source).select(slice(0, 40))
        write_extxyz(replace(frames, level_of_theory=None), folder / f"{name}.xyz")
    return [str(folder / f"{name}.xyz") for name in ("methanol", "ethanol")]


@pytest.fixture(scope="module")
def outcome(files, tmp_path_factory) -> TrainingOutcome:
    """Train one model of methanol, whose field is not sound, and of ethanol."""
    config = load_config(
        changes=TINY
        | {
            "data": {"sources": [{"source": file} for file in files]},
            "split": {"train": 50, "validation": 10, "test": 10},
            "augment": {"enabled": False},
            "training": {"epochs": 2, "batch_size": 10},
        }
    )
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(systems_choice, "choose_baseline", _sound_for_ethanol)
        return train_force_field(config, folder, device="cpu")


def _sound_for_ethanol(_augmentation, frames, config):
    if frames.n_atoms == 6:
        return UNSOUND
    return make_baseline(random_field(frames, cutoff=config.model.cutoff), config.model.cutoff, "sound")


def of(outcome: TrainingOutcome, label: str) -> Sets:
    return next(sets for sets in outcome.systems if sets.label == label)


def atoms_of(frames: FrameSet) -> Atoms:
    return Atoms(frames.atomic_numbers, frames.positions[0])


def test_the_system_with_a_sound_field_has_a_baseline(outcome):
    assert [sets.baseline.used for sets in outcome.systems] == [False, True]
    kinds = {kind["formula"]: kind for kind in read_manifest(outcome.model_path)["baseline"]}
    assert [kinds[formula]["has_energy"] for formula in ("C2H6O", "CH4O")] == [True, False]
    assert set(kinds["CH4O"]["atom_types"]) == {-1}
    assert len(kinds["CH4O"]["bonds"]) == 5
    assert len(set(kinds["C2H6O"]["atom_types"])) == 6


def test_the_network_learns_all_of_the_forces_of_the_other(outcome):
    methanol, ethanol = of(outcome, "methanol"), of(outcome, "ethanol")
    assert methanol.baseline.subtract(methanol.train) is methanol.train
    of_baseline = Baseline(ethanol.baseline.templates, ethanol.baseline.cutoff).results(
        ethanol.train, ethanol.baseline.molecules
    )
    rest = ethanol.baseline.subtract(ethanol.train)
    np.testing.assert_allclose(rest.forces, ethanol.train.forces - of_baseline[1], rtol=1e-12)
    assert abs(of_baseline[1]).mean() > 0.01


def test_the_deployed_model_is_the_network_and_the_baseline_of_each_system(outcome):
    for sets in outcome.systems:
        frames = sets.baseline.with_atom_types(sets.test)
        energies, forces = network_results(outcome.training.model, frames)
        if sets.baseline.used:
            baseline = Baseline(sets.baseline.templates, sets.baseline.cutoff)
            more = baseline.results(sets.test, sets.baseline.molecules)
            energies, forces = energies + more[0], forces + more[1]
        found = predict(outcome.model_path, sets.test)
        np.testing.assert_allclose(found[0], energies, atol=1e-4)
        np.testing.assert_allclose(found[1], forces, atol=1e-3)


@pytest.mark.parametrize("evaluator", ["core", "torchscript"])
def test_each_molecule_is_recognized_in_any_order_and_together(outcome, evaluator):
    methanol, ethanol = (atoms_of(of(outcome, label).test) for label in ("methanol", "ethanol"))
    calculator = MDAugCalculator(outcome.model_path, dtype="float64", evaluator=evaluator, strict=None)

    def energy_of(atoms):
        atoms.calc = calculator
        return atoms.get_potential_energy()

    apart = ethanol.copy()
    apart.positions += 50.0
    both = (methanol + apart)[np.random.default_rng(0).permutation(15)]
    assert energy_of(both) == pytest.approx(energy_of(methanol) + energy_of(ethanol), abs=1e-6)


def test_a_molecule_of_no_system_is_refused(outcome):
    atoms = molecule("CH3OCH3")  # the elements of ethanol
    atoms.calc = MDAugCalculator(outcome.model_path, strict=None)
    with pytest.raises(StructureError, match="CH4O"):
        atoms.get_potential_energy()


def test_results_report_and_info_name_the_system_without(outcome, capsys):
    results = json.loads((outcome.folder / "results.json").read_text())
    baseline = results["baseline"]
    assert baseline["used"] and baseline["molecules"] == ["C2H6O"] and baseline["without"] == ["CH4O"]
    assert baseline["reason"] == "the force fields of 1 of 2 systems are sound"
    assert results["systems"]["methanol"]["baseline"] == {"used": False, "reason": UNSOUND.reason}
    assert results["systems"]["ethanol"]["baseline"] == {"used": True, "reason": "sound"}
    assert "For CH4O the network stands alone" in (outcome.folder / "report.html").read_text()
    assert main(["info", str(outcome.model_path)]) == 0
    assert "none of CH4O" in " ".join(capsys.readouterr().out.split())


def test_export_keeps_the_choice(outcome, tmp_path):
    path = export_run(outcome.folder, tmp_path / "again.pt")
    for sets in outcome.systems:
        for new, old in zip(predict(path, sets.test), predict(outcome.model_path, sets.test), strict=True):
            np.testing.assert_array_equal(new, old)


def shared(*systems: tuple[FrameSet, BaselineChoice]) -> list[BaselineChoice]:
    own = [choice for _, choice in systems]
    sets = [SimpleNamespace(train=frames, label=f"system {n}") for n, (frames, _) in enumerate(systems)]
    return shared_baselines(own, sets)


def fitted(frames: FrameSet) -> tuple[FrameSet, BaselineChoice]:
    return frames, make_baseline(random_field(frames), 5.0, "sound")


def test_a_molecule_that_another_system_has_takes_its_template():
    water = frames_near(molecule("H2O"))
    second = molecule("H2O")
    second.positions += 3.5
    pair = frames_near(molecule("H2O") + second)
    alone, both = shared(fitted(water), (pair, UNSOUND))
    assert alone.used and both.used
    assert [template.has_energy for template in both.templates] == [True]
    assert both.molecules[0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert abs(both.subtract(pair).forces).max() > 0.1


def test_a_system_of_known_and_other_molecules_has_a_baseline_for_the_known_ones():
    other = molecule("CO2")
    other.positions += 4.0
    mixture = frames_near(molecule("H2O") + other)
    _, both = shared(fitted(frames_near(molecule("H2O"))), (mixture, UNSOUND))
    rest = both.subtract(mixture)
    assert both.used
    assert abs(rest.forces[:, :3]).max() > 0.1 and not rest.forces[:, 3:].any()
    assert (rest.atom_types < 0).tolist() == [False] * 3 + [True] * 3


def test_a_network_of_some_systems_has_the_templates_of_their_molecules(make_model, tmp_path):
    """As that of differences: it has embeddings of the atom types of these systems alone."""
    frames = [frames_near(molecule(name)) for name in ("H2O", "CH3OH", "CO2")]
    own = shared(fitted(frames[0]), fitted(frames[1]), (frames[2], UNSOUND))
    assert [len(present_templates([baseline])) for baseline in own] == [1, 1, 1]
    assert [template.formula for template in present_templates(own[1:])] == ["CH4O", "CO2"]
    assert present_templates([BaselineChoice(False, "none")]) == []
    types = own[0].with_atom_types(frames[0]).atom_types
    model = make_model(n_atom_types=int(types.max()) + 1)
    path = export_model(model, tmp_path / "model.pt", training={}, templates=present_templates(own[:1]))
    assert [entry["formula"] for entry in read_manifest(path)["baseline"]] == ["H2O"]
    with pytest.raises(ValueError, match="more atom types"):
        export_model(model, tmp_path / "all.pt", training={}, templates=own[0].templates)


def test_a_gas_of_atoms_is_known_too():
    argon = frames_near(Atoms("Ar2", [[0, 0, 0], [3.8, 0, 0]]))
    _, gas = shared(fitted(frames_near(molecule("H2O"))), (argon, UNSOUND))
    assert not gas.used and [template.formula for template in gas.templates] == ["H2O", "Ar"]
    assert gas.molecules[1].tolist() == [[0], [1]]


def shared_proton() -> FrameSet:
    """Return frames of two waters and a proton, which is at one of them in half of the frames."""
    first, second = molecule("H2O"), molecule("H2O")
    second.rotate(180, "x", center=(0, 0, 0))
    second.positions[:, 2] += 2.6
    proton = Atoms("H", [(0, 0, 1.0)])
    frames = frames_near(first + second + proton, 40)
    oxygen = first.positions[0, 2]
    positions = frames.positions.copy()
    positions[:20, 6] = [0, 0, oxygen + 1.0]
    positions[20:, 6] = [0, 0, second.positions[0, 2] - 1.0]
    return replace(frames, positions=positions)


def test_bonds_that_change_leave_the_baseline_of_others():
    frames = shared_proton()
    water, both = shared(fitted(frames_near(molecule("H2O"))), (frames, UNSOUND))
    assert water.used and not both.used
    assert [template.formula for template in both.templates] == ["H2O", "H5O2"]
    assert both.molecules[1].shape == (1, 7)
    assert both.subtract(frames) is frames
    entries = [
        {
            "formula": template.formula,
            "atomic_numbers": template.atomic_numbers,
            "bonds": template.bonds,
            "mean_lengths_A": template.bond_parameters[:, 0],
        }
        for template in both.templates
    ]
    for n in (0, 39):  # with the proton at either water
        found = MoleculeFinder({"baseline": entries}).find(frames.structure(n))
        assert [len(atoms) for atoms in found.atoms] == [0, 1]


def test_a_system_that_is_made_of_molecules_of_others_in_some_frames_is_refused():
    """Its frames would have the baselines of water and of the hydronium ion by their bonds."""
    frames = shared_proton()
    hydronium = frames_near(molecule("NH3"))
    hydronium = replace(hydronium, atomic_numbers=np.array([8, 1, 1, 1]))
    choices = shared(fitted(frames_near(molecule("H2O"))), fitted(hydronium), (frames, UNSOUND))
    assert not any(choice.used for choice in choices)
    assert "made of other systems' molecules" in choices[0].reason


@pytest.mark.parametrize(
    "crystal", [bulk("NaCl", "rocksalt", 5.64, cubic=True) * 2, bulk("Si", cubic=True) * 2]
)
def test_beside_a_crystal_no_system_has_a_baseline(crystal):
    choices = shared(fitted(frames_near(molecule("H2O"))), (frames_near(crystal), UNSOUND))
    assert not any(choice.used or choice.templates for choice in choices)


def rough(frames: FrameSet, *, accurate: bool) -> Augmentation:
    """Return the augmentation of frames whose field is off by 0.3 or 0.9 of the forces."""
    value = 9.0 if accurate else 27.0
    verdict = Verdict("held-out forces", "error", value, 4.5, "held-out forces are off")
    none = frames.select(slice(0))
    field = initial_force_field(frames, 5.0)
    return Augmentation(none, NO_RULE, "held-out forces are off", (verdict,), unsound_field=field)


@pytest.mark.parametrize("accurate", [True, False])
def test_an_inaccurate_field_is_a_baseline_beside_sound_ones_only(accurate):
    config, frames = RunConfig(), frames_near(molecule("CH3OH"))
    sets = SimpleNamespace(
        augmentation=rough(frames, accurate=accurate), train=frames, label="methanol", choice=None
    )
    water = frames_near(molecule("H2O"))
    sound = Augmentation(water, "force-matched", "sound", (), random_field(water))
    other = SimpleNamespace(augmentation=sound, train=water, label="water")
    _, methanol = _own_baselines([other, sets], config)
    assert methanol.used == accurate
    if accurate:
        assert "enough for a baseline beside those of other systems" in methanol.reason
    alone, second = _own_baselines([sets, sets], config)
    assert not alone.used and not second.used
    untyped = config.replace({"model": {"atom_types": False}})
    _, methanol = _own_baselines([other, sets], untyped)
    assert all((template.atom_types == -1).all() for template in methanol.templates)


def test_no_field_is_sound():
    frames = frames_near(molecule("H2O"))
    first, second = shared((frames, UNSOUND), (frames, replace(UNSOUND, reason="too few frames")))
    assert not first.used and first.reason == second.reason == f"system 0: {UNSOUND.reason}"

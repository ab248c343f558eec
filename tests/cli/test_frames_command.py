"""`mdaug frames` and `mdaug dataset` as a user types them."""

import json
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest

from mdaug.cli.app import main
from mdaug.data import load_frames
from mdaug.sampling import replica

SHORT = ["--n-frames=4", "--n-replicas=2", "--spacing=5", "--equilibration=0.01", "--temperature=300"]


@pytest.mark.tblite
@pytest.mark.parametrize("suffix", ["xyz", "npz"])
def test_frames_of_a_smiles(tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["frames", "[OH-]", *SHORT, "--format", suffix, "--out", str(tmp_path / "o")]) == 0
    frames = load_frames(tmp_path / "o" / f"frames.{suffix}")
    assert (len(frames), frames.charge, frames.multiplicity) == (4, -1.0, 1)
    assert (frames.temperature_K, frames.level_of_theory) == (300.0, "GFN2-xTB")
    summary = json.loads((tmp_path / "o" / "frames.json").read_text())
    assert summary["measured"]["n_steps"] == 40
    assert "kinetic temperature" in capsys.readouterr().out


@pytest.mark.tblite
@pytest.mark.tblite
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["[OH-]", "--charge=1"], "the SMILES string has charge -1, --charge is +1"),
        (["[CH3]"], "9 electrons with charge +0 cannot have multiplicity 1"),
    ],
)
def test_charges_and_spins_that_do_not_fit(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["frames", *arguments, *SHORT, "--out", str(tmp_path / "o")]) == 1
    assert complaint in capsys.readouterr().err


def test_frames_of_a_cell_with_any_calculator(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "cu.cif", ase.io.read(_copper(tmp_path)))
    command = ["frames", str(tmp_path / "cu.cif"), "--calculator", "ase.calculators.emt:EMT"]
    assert (
        main(
            [
                *command,
                "--calculator-arguments",
                '{"asap_cutoff": false}',
                *SHORT,
                "--out",
                str(tmp_path / "o"),
            ]
        )
        == 0
    )
    frames = load_frames(tmp_path / "o" / "frames.xyz")
    assert frames.pbc == (True, True, True)
    assert frames.level_of_theory == "EMT"
    assert np.isfinite(frames.forces).all()
    assert (
        json.loads((tmp_path / "o" / "frames.json").read_text())["measured"]["virial_temperature_K"] is None
    )


def _copper(folder: Path) -> Path:
    from ase.build import bulk

    ase.io.write(folder / "cu.xyz", bulk("Cu", cubic=True))
    return folder / "cu.xyz"


@pytest.mark.tblite
@pytest.mark.parametrize("arguments", ["{", "[1]"])
def test_calculator_arguments_must_be_an_object(
    tmp_path: Path, arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["frames", "O", "--calculator-arguments", arguments, "--out", str(tmp_path / "o")]) == 1
    assert "--calculator-arguments" in capsys.readouterr().err


@pytest.mark.reference_sets("ethanol_ccsd_t_1000.npz")
def test_dataset_lists_installs_and_explains(
    tmp_path: Path,
    reference_set: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MDAUG_CACHE", str(tmp_path / "cache"))
    assert main(["dataset"]) == 0
    assert "not downloaded" in capsys.readouterr().out
    copy = reference_set("ethanol_ccsd_t_1000.npz")
    assert main(["dataset", "ethanol-ccsdt", "--from", str(copy)]) == 0
    assert (tmp_path / "cache" / "ethanol_ccsd_t-train.npz").read_bytes() == copy.read_bytes()
    assert main(["dataset", "ethanol-ccsdt", "--from", str(tmp_path / "none")]) == 1
    assert "no such file" in capsys.readouterr().err
    assert main(["dataset", "ethanol"]) == 0


@pytest.mark.tblite
def test_a_stopped_run_keeps_its_replicas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Resumed, only the unfinished replica is run, and the frames are those of an uninterrupted run."""
    sample = replica._run
    calls: list[int] = []

    def stopped_in_the_second(*arguments):
        calls.append(len(calls))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return sample(*arguments)

    command = ["frames", "O", *SHORT, "--calculator", "ase.calculators.emt:EMT"]
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    monkeypatch.setattr(replica, "_run", stopped_in_the_second)
    assert main([*command, "--out", str(tmp_path / "o")]) == 130
    assert main([*command, "--out", str(tmp_path / "o")]) == 1
    assert "holds an unfinished run; continue it with --resume" in capsys.readouterr().err
    assert main([*command, "--seed=1", "--resume", "--out", str(tmp_path / "o")]) == 1
    assert "from a run with other settings" in capsys.readouterr().err
    assert main([*command, "--resume", "--out", str(tmp_path / "o")]) == 0
    assert len(calls) == 3
    whole, resumed = (tmp_path / name / "frames.xyz" for name in ("whole", "o"))
    assert resumed.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "o" / "replicas").exists()

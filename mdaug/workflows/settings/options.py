"""Options that several commands share; for every `--help`, nothing heavy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from pydantic import Field

from mdaug.options import Options

if TYPE_CHECKING:
    from mdaug.data.reading import ReadingOptions
    from mdaug.frames import FrameSet
    from mdaug.jobs import Where

Part = Literal["train", "validation", "test"]
"""A part of the frames of a training."""

Switch = Annotated[bool, Parameter(negative="")]
"""An option that is given or not, without a ``--no-`` form."""

Strict = Annotated[
    Switch,
    Field(
        description="Refuse a structure unlike the model's training frames (other molecules or bonds, closer "
        "atoms) instead of warning."
    ),
]
"""Whether a structure unlike the training frames is an error."""


class DataOptions(Options):
    """How to read DATA."""

    temperature: Annotated[float | None, Field(gt=0)] = None
    """Temperature of the sampling, K [default: the file's]."""

    units: str | None = None
    """Energy unit of the file: eV, kcal/mol, kJ/mol, meV, Hartree or Ry [default: the format's]."""

    force_units: str | None = None
    """Force unit, as Hartree/Bohr [default: energy/length]."""

    length_units: str | None = None
    """Angstrom, Bohr, nm or pm [default: the format's]."""

    stress_units: str | None = None
    """GPa, -kbar (compression positive), none (omitted)."""

    every: Annotated[int, Field(ge=1)] = 1
    """Read every n-th frame only."""

    reorder: Switch = False
    """Bring all atoms into the order of the first frame."""

    energy_key: str | None = None
    """Key of the energies [default: energy, or REF_energy]."""

    forces_key: str | None = None
    """Key of the forces [default: forces, or REF_forces]."""

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

        reading = self.reading(forces_optional=forces_optional)
        return load_frames(data, drop_outliers=self.drop_outliers, **reading)

    def load_several(
        self,
        data: str,
        *,
        forces_optional: bool = False,
        isolated_atoms: bool = False,
        name_folder: bool = False,
    ) -> "list[FrameSet]":
        """Return the frames of each system in the file or named set `data`.

        Parameters
        ----------
        data, forces_optional
            As for `load`.
        isolated_atoms
            Return frames of isolated atoms, too.
        name_folder
            Name systems by file and folder.

        Raises
        ------
        DataError
            If they cannot be read or used.
        """
        from mdaug.data import load_systems

        reading = self.reading(forces_optional=forces_optional)
        return load_systems(
            data,
            drop_outliers=self.drop_outliers,
            isolated_atoms=isolated_atoms,
            name_folder=name_folder,
            **reading,
        )

    def reading(self, *, forces_optional: bool = False) -> "ReadingOptions":
        """Return the keyword arguments of `load_frames` that say how files are read.

        Parameters
        ----------
        forces_optional
            Read frames with energies only, too.
        """
        return {
            "units": self.units,
            "force_units": self.force_units,
            "length_units": self.length_units,
            "stress_units": self.stress_units,
            "temperature_K": self.temperature,
            "every": self.every,
            "reorder": self.reorder,
            "energy_key": self.energy_key,
            "forces_key": self.forces_key,
            "forces_optional": forces_optional,
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

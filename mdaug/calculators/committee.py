"""The ASE calculator of a committee: a model, and the deviation of the forces of networks like it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.stress import voigt_6_to_full_3x3_stress

from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.calculators.results import Results
from mdaug.deployment.committee import n_networks, named
from mdaug.deployment.manifest import read_manifest
from mdaug.errors import DataError, SettingsError
from mdaug.frames import FloatArray

COMMITTEE = "committee"
"""Folder of the trainings of the other networks in the run folder of `mdaug train --committee N`."""


class MDAugCommittee(MDAugCalculator):
    """A model.pt with the deviation of the forces of a committee.

    Energy, forces and all other results are those of the first model; `force_deviation` is of all. An
    evaluation takes as long as those of all models.

    Parameters
    ----------
    models
        A model.pt or run folder of `mdaug train --committee N`, or several model files.
    **arguments
        Other arguments of `MDAugCalculator`, for all models.

    Raises
    ------
    SettingsError
        There are fewer than two models, or an argument cannot have this value.
    DataError
        A file is not a model of mdaug, or its elements are not those of the first one.

    Examples
    --------
    >>> atoms.calc = MDAugCommittee("runs/latest")
    >>> atoms.get_forces()
    >>> atoms.calc.force_deviation.max()  # eV/Å  # doctest: +SKIP
    0.031
    """

    def __init__(self, models: str | Path | Sequence[str | Path], **arguments: Any) -> None:
        networks = committee_networks(models)
        if len(networks) < 2:
            raise SettingsError(
                f"{models}: a committee of {len(networks)} models; expected at least 2, as `mdaug train "
                "--committee N` makes them"
            )
        self._models = _absolute(models)
        self._member_arguments = arguments
        of_others = arguments | {"strict": None}
        self._others = [MDAugCalculator(path, **of_others, network=k) for path, k in networks[1:]]
        super().__init__(networks[0][0], **arguments)
        for (path, k), other in zip(networks[1:], self._others, strict=True):
            if other.manifest["elements"] != self.manifest["elements"]:
                raise DataError(
                    f"{named(path, k)}: other elements than those of {networks[0][0]}; expected one committee"
                )

    def set(self, **arguments: Any) -> dict[str, Any]:
        """Change arguments of all models, but ``model``, ``network`` and ``strict`` of the first one only.

        Parameters
        ----------
        **arguments
            As for `MDAugCalculator.set`.
        """
        of_all = {
            name: value for name, value in arguments.items() if name not in ("model", "network", "strict")
        }
        for other in self._others:
            other.set(**of_all)
        return super().set(**arguments)

    @property
    def force_deviation(self) -> FloatArray | None:
        """Deviation √⟨|F_i − ⟨F_i⟩|²⟩ of the forces over the models, shape (n_atoms,), eV/Å.

        Of the last evaluation; None before. Its maximum is DP-GEN's ``max_devi_f`` (Zhang et al. 2019, DOI
        10.1103/PhysRevMaterials.3.023804).
        """
        return self.results.get("force_deviation")

    @property
    def virial_deviation(self) -> FloatArray | None:
        """Standard deviation of the nine components of the virial over the models, shape (3, 3), eV per atom.

        Of the last evaluation; None before. The virial is Σ r_i ⊗ F_i for a molecule, and the stress times
        the volume for three periodic directions; NaN for one or two. Its maximum is DeePMD-kit's
        ``max_devi_v``.
        """
        return self.results.get("virial_deviation")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the paths of the models."""
        return _unpickle, (self._models, self._member_arguments)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill ``results`` with all properties, from one evaluation of each model.

        Parameters
        ----------
        atoms
            The atoms; those of the last call if None.
        properties, system_changes
            Ignored, part of ASE's interface.
        """
        with self._lock:
            super().calculate(atoms, properties, system_changes)
            try:
                forces = [self.results["forces"], *(other.get_forces(self.atoms) for other in self._others)]
            except Exception:
                self.reset()  # else the next call would take the forces of the first model for the results
                raise
            virials = [_virial_eV(self.atoms, one.results) for one in (self, *self._others)]
            others = {
                "extrapolation": self.extrapolation,
                "force_deviation": force_deviation(np.array(forces)),
                "virial_deviation": np.std(virials, axis=0) / len(self.atoms),
            }
            self.results = Results(self.results, **others)

    def find_molecules(self, atoms: Atoms) -> None:
        """Find the molecules of a baseline in a structure with intact bonds, for every model.

        Parameters
        ----------
        atoms
            A structure of the atoms that will be evaluated, in the same order.
        """
        super().find_molecules(atoms)
        for other in self._others:
            other.find_molecules(atoms)


def committee_networks(models: str | Path | Sequence[str | Path]) -> list[tuple[Path, int]]:
    """Return file, and number in the file, of each network of a committee, the model first.

    Parameters
    ----------
    models
        As for `MDAugCommittee`.

    Raises
    ------
    DataError
        There is no model, or it cannot be read.
    """
    if not isinstance(models, str | Path):
        return [(Path(path), 0) for path in models]
    path = Path(models)
    file = path / "model.pt" if path.is_dir() else path
    n = n_networks(read_manifest(file))
    # earlier versions wrote a file for each of the others
    beside = [] if n > 1 or file.name != "model.pt" else file.parent.glob(f"{COMMITTEE}/network-*/model.pt")
    others = sorted(beside, key=lambda path: (len(str(path)), path))
    return [*((file, k) for k in range(n)), *((other, 0) for other in others)]


def force_deviation(forces: FloatArray) -> FloatArray:
    """Return √⟨|F_i − ⟨F_i⟩|²⟩ over the models, for each atom.

    Parameters
    ----------
    forces
        Shape (n_models, …, n_atoms, 3), eV/Å.

    Returns
    -------
    FloatArray
        Shape (…, n_atoms), eV/Å.
    """
    squares = np.square(forces - forces.mean(axis=0)).sum(axis=-1)
    return np.asarray(np.sqrt(squares.mean(axis=0)))


def _virial_eV(atoms: Atoms, results: dict[str, Any]) -> FloatArray:
    """Return the virial of a model, up to its sign, shape (3, 3)."""
    if not atoms.pbc.any():
        # the origin does not matter, and near the atoms rounding is least
        positions = atoms.positions - atoms.positions.mean(axis=0)
        return np.asarray(positions.T @ results["forces"])
    if not atoms.pbc.all():
        return np.full((3, 3), np.nan)
    return np.asarray(voigt_6_to_full_3x3_stress(results["stress"])) * atoms.get_volume()


def _absolute(models: str | Path | Sequence[str | Path]) -> Path | list[Path]:
    """Return paths that are the same in another working folder."""
    if isinstance(models, str | Path):
        return Path(models).absolute()
    return [Path(path).absolute() for path in models]


def _unpickle(models: Path | list[Path], arguments: dict[str, Any]) -> MDAugCommittee:
    return MDAugCommittee(models, **arguments)

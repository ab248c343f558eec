"""The baseline of a model: the force-matched field of the training frames, molecule by molecule."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdaug.archives import read_json
from mdaug.augmentation.force_matching.force_field import N_BOND_PARAMETERS, ForceField
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.matching import MoleculeGraph, match_molecules
from mdaug.models.baseline import N_GATES, Baseline, MoleculeTemplate
from mdaug.models.options import SchNetOptions

FILE = "baseline.json"


@dataclass(frozen=True, eq=False)
class BaselineChoice:
    """Whether a model has a baseline.

    Parameters
    ----------
    used
        Whether it has.
    reason
        One sentence: why.
    templates
        One for each kind of molecule; empty if it is not used.
    molecules
        For each template the atoms of its molecules in the frames, (n_molecules, n_atoms of the template).
    cutoff
        Of the network, Å.
    """

    used: bool
    reason: str
    templates: tuple[MoleculeTemplate, ...] = ()
    molecules: tuple[IntArray, ...] = ()
    cutoff: float = 0.0

    def subtract(self, frames: FrameSet) -> FrameSet:
        """Return frames with energies and forces less those of the baseline, for the network to learn.

        Parameters
        ----------
        frames
            Frames of the same atoms as the training frames.
        """
        return self._baseline.subtract(frames, self.molecules) if self.used else frames

    @cached_property
    def _baseline(self) -> Baseline:
        return Baseline(self.templates, self.cutoff)

    def network_options(self, options: SchNetOptions) -> SchNetOptions:
        """Return the options of the network: without ZBL prior where the baseline has all short distances.

        Within a molecule M has the repulsion of close atoms; ZBL would count it twice.

        Parameters
        ----------
        options
            Of the model, as set.
        """
        alone = self.used and sum(map(len, self.molecules)) == 1
        return options.model_copy(update={"prior": "none"}) if alone else options

    def summary(self) -> dict[str, Any]:
        """Return ``"baseline"`` of results.json."""
        return {"used": self.used, "reason": self.reason, "molecules": [t.formula for t in self.templates]}

    def to_json(self) -> dict[str, Any]:
        """Return the content of baseline.json, from which `from_json` restores the choice exactly."""
        templates = [{name: array.tolist() for name, array in t.arrays()} for t in self.templates]
        molecules = [atoms.tolist() for atoms in self.molecules]
        return vars(self) | {"templates": templates, "molecules": molecules}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "BaselineChoice":
        """Return the choice that `to_json` recorded.

        Parameters
        ----------
        entry
            What `to_json` returned.
        """
        templates = tuple(MoleculeTemplate.from_lists(lists) for lists in entry["templates"])
        molecules = tuple(
            np.array(atoms, dtype=np.int64).reshape(-1, len(template.atomic_numbers))
            for atoms, template in zip(entry["molecules"], templates, strict=True)
        )
        return cls(entry["used"], entry["reason"], templates, molecules, entry["cutoff"])


def make_baseline(field: ForceField, cutoff: float, reason: str) -> BaselineChoice:
    """Return the use of a force-matched field as baseline; not used where it cannot be one.

    Parameters
    ----------
    field
        The force-matched field, which has passed its assessment.
    cutoff
        Of the network, Å.
    reason
        Why the field may be used.
    """
    topology = field.topology
    if len(topology.changing):
        return BaselineChoice(False, "bonds change in the frames, and a baseline keeps its bonds")
    templates = tuple(templates_of(field))
    graphs = [MoleculeGraph(template.atomic_numbers, template.bonds) for template in templates]
    molecules = match_molecules(topology.atomic_numbers, topology.bonds, graphs)
    if molecules is None:
        return BaselineChoice(False, "its molecules could not be told apart")
    return BaselineChoice(True, reason, templates, tuple(molecules), cutoff)


def recorded_baseline(folder: Path) -> BaselineChoice | None:
    """Return the baseline of a run that is resumed or exported; None if it has no record.

    Parameters
    ----------
    folder
        The run folder.

    Raises
    ------
    DataError
        The record is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return BaselineChoice.from_json(read_json(path, "the record of a baseline"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: not the record of a baseline ({error}); start a new run") from error


def record_baseline(choice: BaselineChoice, folder: Path) -> None:
    """Write the choice, so that a resumed run has the same baseline.

    Parameters
    ----------
    choice
        The choice.
    folder
        The run folder.
    """
    write_json(folder / FILE, choice.to_json())


def templates_of(field: ForceField) -> list[MoleculeTemplate]:
    """Return one template for each kind of molecule in a force-matched field.

    Molecules are of one kind if their atoms have the same classes. Terms between molecules are left out.

    Parameters
    ----------
    field
        The force-matched field.
    """
    topology = field.topology
    kinds: dict[tuple[int, ...], IntArray] = {}
    for number in range(int(topology.molecule.max()) + 1):
        atoms = np.flatnonzero(topology.molecule == number)
        kinds.setdefault(tuple(sorted(topology.classes[atoms].tolist())), atoms)
    return [_template(field, atoms) for atoms in kinds.values()]


def _template(field: ForceField, atoms: IntArray) -> MoleculeTemplate:
    topology, terms = field.topology, field.terms
    place = np.full(len(topology.atomic_numbers), -1)
    place[atoms] = np.arange(len(atoms))
    bonds, angles, torsions, pairs = (
        np.flatnonzero(np.isin(chains, atoms).all(axis=1))
        for chains in (topology.bonds, topology.angles, topology.torsions, topology.pairs)
    )
    # primitives of the field -> of the template; the last one of both stands for 1
    n_bonds, n_angles, n_torsions = len(topology.bonds), len(topology.angles), len(topology.torsions)
    folds = (3 * torsions[:, None] + np.arange(3)).ravel()
    kept = np.concatenate([bonds, n_bonds + angles, n_bonds + n_angles + folds])
    first_pair = n_bonds + n_angles + 3 * n_torsions
    far = np.flatnonzero(topology.separation >= 3)
    primitive = np.full(first_pair + len(far) + 1, -1)
    primitive[kept], primitive[-1] = np.arange(len(kept)), len(kept)
    mapped = primitive[terms.factors]
    chosen = np.flatnonzero((mapped >= 0).all(axis=1))
    coefficients = field.parameters[terms.parameter]
    soft = np.zeros(len(topology.pairs))
    is_soft = (terms.factors[:, 0] >= first_pair) & (terms.factors[:, 0] < first_pair + len(far))
    soft[far[terms.factors[is_soft, 0] - first_pair]] = coefficients[is_soft]
    return MoleculeTemplate(
        atomic_numbers=topology.atomic_numbers[atoms].astype(np.int64),
        bonds=place[topology.bonds[bonds]],
        bond_parameters=_bond_parameters(field)[bonds],
        angles=place[topology.angles[angles]],
        mean_cosines=field.mean_cosines[angles],
        torsions=place[topology.torsions[torsions]],
        pairs=place[topology.pairs[pairs]],
        pair_parameters=np.column_stack([_walls(field), field.steepness, field.contact, soft])[pairs],
        factors=mapped[chosen],
        gates=_gates(terms.gates[np.ix_(chosen, bonds)].astype(bool)),
        coefficients=coefficients[chosen],
    )


def _bond_parameters(field: ForceField) -> FloatArray:
    """Return r̄, D, r0, β0, β1, β2, δ0, δ1, δ2 of each bond, (n_bonds, 9)."""
    first, kinds = field.n_linear, len(field.plateaus)
    own = field.parameters[first : first + N_BOND_PARAMETERS * kinds].reshape(kinds, N_BOND_PARAMETERS)
    of_kinds = np.column_stack([field.plateaus, own[:, 0], field.shapes, own[:, 1:]])
    return np.column_stack([field.mean_lengths, of_kinds[field.bond_kind]])


def _walls(field: ForceField) -> FloatArray:
    """Return A of each pair of the same molecule, eV."""
    first = field.n_linear + N_BOND_PARAMETERS * len(field.plateaus)
    strengths: FloatArray = np.exp(field.parameters[first:])[field.pair_kind]
    return strengths


def _gates(gates: NDArray[np.bool_]) -> IntArray:
    """Return the bonds that switch each term off, (n_terms, 4), filled up with the number of bonds."""
    n_bonds = gates.shape[1]
    padded = np.full((len(gates), N_GATES), n_bonds)
    for row, of_term in zip(padded, gates, strict=True):
        own = np.flatnonzero(of_term)
        row[: len(own)] = own
    return padded

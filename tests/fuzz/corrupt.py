"""Every kind of fault that frames may have, made from any clean set: `CORRUPTIONS`, name -> `Corruption`."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from ase import units

from mdaug.frames import FrameSet
from mdaug.geometry.bond_graphs import frame_bond_graphs

Maker = Callable[[FrameSet], FrameSet | None]
SEED = 5


@dataclass(frozen=True)
class Corruption:
    """One kind of fault.

    Parameters
    ----------
    make
        Returns the corrupted frames as they would be read; None where the set cannot have this fault.
    checks
        Names of the checks, any of which must give the verdict.
    verdict
        ``"error"`` (refused) or ``"warning"``.
    says
        Words, any of which the text must hold.
    stated
        Unit in which the file was read (the frames given to `make` are in eV).
    """

    make: Maker
    checks: tuple[str, ...]
    verdict: str
    says: tuple[str, ...] = ("",)
    stated: str = "eV"


def _scaled(energy: float = 1.0, force: float = 1.0, length: float = 1.0) -> Maker:
    def make(frames: FrameSet) -> FrameSet:
        cells = None if frames.cells is None else frames.cells * length
        return replace(
            frames,
            energies=frames.energies * energy,
            forces=frames.forces * force,
            positions=frames.positions * length,
            cells=cells,
        )

    return make


def _some(frames: FrameSet, share: float) -> np.ndarray:
    rng = np.random.default_rng(SEED)
    return np.sort(rng.choice(len(frames), max(1, round(share * len(frames))), replace=False))


def _set(frames: FrameSet, name: str, index: np.ndarray, values: np.ndarray) -> FrameSet:
    changed = getattr(frames, name).copy()
    changed[index] = values
    return replace(frames, **{name: changed})


def per_atom(frames: FrameSet) -> FrameSet:
    """Energies divided by the number of atoms."""
    return replace(frames, energies=frames.energies / frames.n_atoms)


def shuffled_energies(frames: FrameSet) -> FrameSet:
    """Energies of other frames."""
    order = np.random.default_rng(SEED).permutation(len(frames))
    return replace(frames, energies=frames.energies[order])


def shifted_energies(frames: FrameSet) -> FrameSet:
    """Energies of the frame before."""
    return replace(frames, energies=np.roll(frames.energies, 1))


def offset_in_half(frames: FrameSet) -> FrameSet:
    """Energies of every other frame 3 eV higher."""
    return replace(frames, energies=frames.energies + 3.0 * (np.arange(len(frames)) % 2))


def small_offset_in_second_half(frames: FrameSet) -> FrameSet:
    """Energies of the second half higher by six standard deviations: another basis set."""
    late = np.arange(len(frames)) >= len(frames) // 2
    return replace(frames, energies=frames.energies + 6 * frames.energies.std() * late)


def two_levels(frames: FrameSet) -> FrameSet:
    """The second half at another level: forces 4 % stiffer, energies too, and 40 eV lower."""
    late = np.arange(len(frames)) >= len(frames) // 2
    mean = frames.energies.mean()
    energies = np.where(late, mean - 40.0 + 1.04 * (frames.energies - mean), frames.energies)
    return replace(frames, energies=energies, forces=frames.forces * np.where(late, 1.04, 1.0)[:, None, None])


def with_kinetic_energy(frames: FrameSet) -> FrameSet | None:
    """Total energies of the dynamics; where vibrations are few or the cell is large, they cannot be told."""
    if frames.cells is not None or frames.temperature_K is None:
        return None
    rng = np.random.default_rng(SEED)
    kinetic = 0.5 * units.kB * frames.temperature_K * rng.chisquare(3 * frames.n_atoms, len(frames))
    return replace(frames, energies=frames.energies + kinetic)


def forces_of_other_atoms(frames: FrameSet) -> FrameSet | None:
    """Forces with their atoms in another order; with two atoms these are gradients."""
    if frames.n_atoms < 3:
        return None
    order = np.roll(np.arange(frames.n_atoms), 1)
    return replace(frames, forces=frames.forces[:, order])


def shuffled_forces(frames: FrameSet) -> FrameSet:
    """Forces of other frames."""
    order = np.random.default_rng(SEED).permutation(len(frames))
    return replace(frames, forces=frames.forces[order])


def renumbered_hydrogens(frames: FrameSet) -> FrameSet | None:
    """Half of the frames with two atoms of one element exchanged that are bonded to different atoms."""
    bonds = frame_bond_graphs(frames.select(slice(0, 1))).bonds(0)
    neighbors = {
        a: {int(x) for bond in bonds for x in bond if a in bond and x != a} for a in range(frames.n_atoms)
    }
    for a in range(frames.n_atoms):
        for b in range(a + 1, frames.n_atoms):
            same = frames.atomic_numbers[a] == frames.atomic_numbers[b]
            if same and neighbors[a] - {b} != neighbors[b] - {a}:
                return _exchanged(frames, a, b)
    return None


def exchanged_heavy_atoms(frames: FrameSet) -> FrameSet | None:
    """Half of the frames with two heavy atoms of different elements exchanged (positions and forces)."""
    heavy = np.flatnonzero(frames.atomic_numbers > 1)
    for b in heavy[::-1]:
        if frames.atomic_numbers[b] != frames.atomic_numbers[heavy[0]]:
            return _exchanged(frames, int(heavy[0]), int(b))
    return None


def exchanged_elements(frames: FrameSet) -> FrameSet | None:
    """All atoms of the two commonest elements taken for those of the other one, as by a wrong type map."""
    elements, counts = np.unique(frames.atomic_numbers, return_counts=True)
    if len(elements) < 2:
        return None
    a, b = elements[np.argsort(-counts, kind="stable")[:2]]
    numbers = frames.atomic_numbers
    return replace(frames, atomic_numbers=np.where(numbers == a, b, np.where(numbers == b, a, numbers)))


def _exchanged(frames: FrameSet, a: int, b: int) -> FrameSet:
    order = np.arange(frames.n_atoms)
    order[[a, b]] = order[[b, a]]
    late = np.flatnonzero(np.arange(len(frames)) % 2 == 1)
    frames = _set(frames, "positions", late, frames.positions[late][:, order])
    return _set(frames, "forces", late, frames.forces[late][:, order])


def one_frame_thousandfold(frames: FrameSet) -> FrameSet:
    """One frame with forces and energy times 1000."""
    one = np.array([len(frames) // 3])
    frames = _set(frames, "forces", one, frames.forces[one] * 1000)
    return _set(frames, "energies", one, frames.energies[one] * 1000)


def zero_forces(frames: FrameSet) -> FrameSet:
    """A tenth of the frames without forces."""
    return _set(frames, "forces", _some(frames, 0.1), np.array(0.0))


def unconverged(frames: FrameSet) -> FrameSet:
    """Two frames whose energy is off by five standard deviations."""
    index = np.array([3, len(frames) // 2])
    return _set(
        frames, "energies", index, frames.energies[index] + 5 * frames.energies.std() * np.array([1, -1])
    )


def rotated_duplicates(frames: FrameSet, sign: float = 1.0) -> FrameSet | None:
    """A tenth of the frames replaced by rotated copies of others."""
    if frames.cells is not None:
        return None
    rng = np.random.default_rng(SEED)
    sources = rng.choice(len(frames) // 2, len(frames) // 10, replace=False)
    targets = np.arange(len(frames) - len(sources), len(frames))
    turns, _ = np.linalg.qr(rng.normal(size=(len(sources), 3, 3)))
    turns *= (sign * np.sign(np.linalg.det(turns)))[:, None, None]
    frames = _set(frames, "positions", targets, (frames.positions[sources] @ turns).round(6))
    frames = _set(frames, "forces", targets, frames.forces[sources] @ turns)
    return _set(frames, "energies", targets, frames.energies[sources])


def reflected_duplicates(frames: FrameSet) -> FrameSet | None:
    """A tenth of the frames replaced by reflected copies of others."""
    return rotated_duplicates(frames, sign=-1.0)


def coarse_energies(frames: FrameSet) -> FrameSet:
    """Total energies in steps of 0.25 kcal/mol."""
    step = 0.25 * units.kcal / units.mol
    return replace(frames, energies=np.round(frames.energies / step) * step)


def rounded_positions(frames: FrameSet) -> FrameSet:
    """Positions with two decimals."""
    return replace(frames, positions=np.round(frames.positions, 2))


def _joined(energy: float = 1.0, force: float = 1.0, length: float = 1.0) -> Maker:
    """Return a maker of files joined from two: every third frame is in other units, energies mean-free."""

    def make(frames: FrameSet) -> FrameSet:
        factor = np.where(np.arange(len(frames)) % 3 == 1, 1.0, 0.0)[:, None, None]
        energies = frames.energies - frames.energies.mean()
        lengths = 1 + factor * (length - 1)
        return replace(
            frames,
            energies=energies * (1 + factor[:, 0, 0] * (energy - 1)),
            forces=frames.forces * (1 + factor * (force - 1)),
            positions=frames.positions * lengths,
            cells=None if frames.cells is None else frames.cells * lengths,
        )

    return make


def _temperature(factor: float) -> Maker:
    def make(frames: FrameSet) -> FrameSet | None:
        if frames.temperature_K is None:
            return None
        return replace(frames, temperature_K=frames.temperature_K * factor)

    return make


def impossible_spin(frames: FrameSet) -> FrameSet:
    """A multiplicity of the wrong parity."""
    return replace(frames, charge=0.0, multiplicity=2 - int(frames.atomic_numbers.sum()) % 2)


def _weights(value: float) -> Maker:
    def make(frames: FrameSet) -> FrameSet:
        return _set(frames, "weights", np.array([2]), np.array(value))

    return make


def one_group(frames: FrameSet) -> FrameSet:
    """All frames in group 1."""
    return replace(frames, group=np.ones(len(frames), np.int64))


HARTREE, RYDBERG, BOHR, KJ = units.Hartree, units.Rydberg, units.Bohr, 4.184
ENERGY = ("energies against forces",)
FORCE_SCALE = ("unit of forces", *ENERGY)
LENGTH = ("unit of lengths",)
JOINED = ("one unit in all frames",)
SCALE = ("one scale of all forces",)
ORDER = ("forces belong to the positions", *ENERGY)

CORRUPTIONS = {
    "energies per atom": Corruption(per_atom, ENERGY, "error", ("per atom",)),
    "energies shuffled": Corruption(shuffled_energies, ENERGY, "error", ("do not belong",)),
    "energies shifted by a frame": Corruption(shifted_energies, ENERGY, "error", ("one frame earlier",)),
    "energies with the wrong sign": Corruption(_scaled(energy=-1), ENERGY, "error", ("wrong sign",)),
    "offset in every other frame": Corruption(offset_in_half, ENERGY, "error", ("two levels",)),
    "offset in the second half": Corruption(small_offset_in_second_half, ENERGY, "error", ("two levels",)),
    "two levels of theory": Corruption(two_levels, ENERGY, "error", ("two levels",)),
    "forces times 2": Corruption(_scaled(force=2), ENERGY, "error", ("times what the forces imply",)),
    "gradients for forces": Corruption(_scaled(force=-1), FORCE_SCALE, "error", ("sign",)),
    "forces of other atoms": Corruption(forces_of_other_atoms, ORDER, "error", ("order",)),
    "forces shuffled": Corruption(shuffled_forces, ORDER, "error", ("do not belong",)),
    "positions in Bohr": Corruption(_scaled(length=1 / BOHR), LENGTH, "error", ("--length-units Bohr",)),
    "Hartree with Hartree/Bohr": Corruption(
        _scaled(force=BOHR), ENERGY, "error", ("--units Hartree --force-units Hartree/Bohr",), "Hartree"
    ),
    "Rydberg with Ry/Bohr": Corruption(
        _scaled(energy=1 / RYDBERG, force=BOHR / RYDBERG),
        FORCE_SCALE,
        "error",
        ("--units Ry --force-units Ry/Bohr",),
    ),
    "Rydberg": Corruption(
        _scaled(energy=1 / RYDBERG, force=1 / RYDBERG), FORCE_SCALE, "error", ("--units Ry,", "--units Ry")
    ),
    "kJ/mol for kcal/mol": Corruption(
        _scaled(energy=KJ, force=KJ), FORCE_SCALE, "error", ("--units kJ/mol",), "kcal/mol"
    ),
    "energies in eV, forces in kcal/mol": Corruption(
        _scaled(force=23.06), FORCE_SCALE, "error", ("--force-units",)
    ),
    "kinetic energy included": Corruption(with_kinetic_energy, ENERGY, "warning", ("kinetic",)),
    "forces joined with gradients": Corruption(_joined(force=-1), JOINED, "error", ("opposite sign",)),
    "eV joined with Hartree/Bohr": Corruption(
        _joined(1 / HARTREE, BOHR / HARTREE), JOINED, "error", ("Hartree/Bohr for eV/Angstrom",)
    ),
    "eV joined with kcal/mol": Corruption(
        _joined(23.06, 23.06), (*JOINED, "outliers of the forces"), "error", ("kcal/mol/Angstrom for eV",)
    ),
    "eV/Å joined with eV/Bohr": Corruption(_joined(force=BOHR), SCALE, "error", ("Bohr for Å",)),
    "Å joined with Bohr": Corruption(_joined(length=1 / BOHR), JOINED, "error", ("lengths of two units",)),
    "hydrogens renumbered in half": Corruption(
        renumbered_hydrogens, ("same molecule in every frame",), "error", ("another order",)
    ),
    "heavy atoms exchanged in half": Corruption(
        exchanged_heavy_atoms, ("same molecule in every frame",), "error", ("another order",)
    ),
    "elements exchanged": Corruption(exchanged_elements, ("elements",), "warning", ("type_map.raw",)),
    "one frame times 1000": Corruption(
        one_frame_thousandfold,
        ("outliers of the forces", "outliers of the energy"),
        "warning",
        ("--drop-outliers",),
    ),
    "a tenth without forces": Corruption(zero_forces, ("frames without forces",), "error", ("zero",)),
    "two unconverged frames": Corruption(
        unconverged, (*ENERGY, "outliers of the energy"), "warning", ("--drop-outliers",)
    ),
    "rotated duplicates": Corruption(rotated_duplicates, ("duplicates",), "warning", ("rotated",)),
    "reflected duplicates": Corruption(reflected_duplicates, ("duplicates",), "warning", ("rotated",)),
    "energies in steps": Corruption(coarse_energies, ("precision of energies",), "warning", ("steps",)),
    "positions with two decimals": Corruption(
        rounded_positions, ("precision of positions",), "warning", ("steps of 0.01 Å",)
    ),
    "half the temperature": Corruption(_temperature(0.5), ("temperature",), "warning", ("stated",)),
    "0.8 times the temperature": Corruption(_temperature(0.8), ("temperature",), "warning", ("stated",)),
    "impossible multiplicity": Corruption(
        impossible_spin, ("charge and multiplicity",), "error", ("cannot be",)
    ),
    "a weight that is NaN": Corruption(_weights(np.nan), ("weights",), "error", ("weight",)),
    "a negative weight": Corruption(_weights(-1.0), ("weights",), "error", ("weight",)),
    "one group": Corruption(one_group, ("groups",), "warning", ("one group",)),
}
"""Name -> corruption; sets that cannot have one give None."""

"""Which energies and forces of a file belong together, by their names."""

import re
from collections.abc import Sequence

from mdaug.data.reading import Reading
from mdaug.errors import DataError

PREFERRED_STEMS = ("", "ref", "dft")
"""``REF_energy`` and ``REF_forces`` have a stem in common; the first of these that is there is taken."""

WORDS = ("free_energy", "energies", "energy", "gradients", "gradient", "forces", "force", "potential")
"""Words that stand for the quantity; what is left of a name is its stem."""

TOTAL = ("tot", "total")
"""Stems that mean no more than the plain name: ``TotEnergy``."""


def pair_labels(
    energies: Sequence[str], forces: Sequence[str], reading: Reading, where: str, records: Sequence[str]
) -> tuple[str, str | None, list[str]]:
    """Return the names of energy and forces that belong together, and notes on the choice.

    Parameters
    ----------
    energies, forces
        Names of all energies and of all forces in the file.
    reading
        Names that the user states, and whether forces may be missing.
    where
        File, and frame or group of it, for messages.
    records
        Names of all that is there, for messages.

    Returns
    -------
    energy, forces, notes
        `forces` is None if the file has none and they may be missing.

    Raises
    ------
    DataError
        If a stated name is missing, or no energy and forces belong together.
    """
    energy_key, forces_key = reading.energy_key, reading.forces_key
    for option, name, names in (("--energy-key", energy_key, energies), ("--forces-key", forces_key, forces)):
        if name is not None and name not in names:
            raise DataError(f"{where}: {option} {name}: no such key; it has {listed(names)}")
    if energy_key and not forces_key and reading.forces_optional:
        forces = [name for name in forces if stem(name) == stem(energy_key)]
    chosen = [energy_key] if energy_key else energies
    pairs = _pairs(chosen, [forces_key] if forces_key else forces, reading)
    if pairs:
        return _first(pairs)
    if energies and reading.forces_optional and (energy_key or not forces):
        return min(chosen, key=_rank), None, []
    if energies and forces:
        raise DataError(
            f"{where}: energies {listed(energies)} and forces {listed(forces)} are of different names; "
            "state which belong together with --energy-key and --forces-key"
        )
    missing, example, option = "energy", "energy=… in its comment line", "--energy-key"
    if energies:
        missing, example, option = "forces", "a column forces:R:3", "--forces-key"
    raise DataError(
        f"{where} has no {missing}; expected some in every frame (extended xyz: {example}); it has "
        f"{listed(records)} ({option} states another name)"
    )


def stem(name: str) -> str:
    """Return what is left of a name without words for the quantity; ``free_energy`` has no stem.

    Parameters
    ----------
    name
        Name of energies or forces.
    """
    left = name.lower()
    for word in WORDS:
        left = left.replace(word, "")
    words = (word for word in re.split(r"[_\-. ]+", left) if word not in TOTAL)
    return "_".join(filter(None, words))


def listed(names: Sequence[str]) -> str:
    """Return names for a message.

    Parameters
    ----------
    names
        Any names; twenty are shown.
    """
    return ", ".join(map(str, names[:20])) or "none"


def _first(pairs: list[tuple[str, str]]) -> tuple[str, str, list[str]]:
    energy, force = pairs[0]
    others = [pair for pair in pairs[1:] if not (pair[1] == force and "free" in energy)]
    if not others:
        return energy, force, []
    more = ", ".join(f"{e} with {f}" for e, f in others)
    note = f"energies {energy} with forces {force} are used; the file also has {more} (--energy-key)"
    return energy, force, [note]


def _pairs(energies: Sequence[str], forces: Sequence[str], reading: Reading) -> list[tuple[str, str]]:
    """Return the pairs that belong together, the preferred one first."""
    if reading.energy_key and reading.forces_key:
        return [(reading.energy_key, reading.forces_key)]
    forces_of_stem = {stem(name): name for name in reversed(forces)}
    pairs = [(name, forces_of_stem[stem(name)]) for name in energies if stem(name) in forces_of_stem]
    if not pairs and (reading.energy_key or reading.forces_key) and len(energies) == len(forces) == 1:
        return [(energies[0], forces[0])]
    return sorted(pairs, key=lambda pair: _rank(pair[0]))


def _rank(name: str) -> tuple[int, bool]:
    """Return the order of preference: a total energy beside a potential one includes the kinetic energy."""
    ranks = {stem_: n for n, stem_ in enumerate(PREFERRED_STEMS)}
    return ranks.get(stem(name), len(ranks)), "tot" in name.lower()

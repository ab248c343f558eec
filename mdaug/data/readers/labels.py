"""Which energies and forces of a file belong together, by their names."""

import re
from collections.abc import Sequence
from pathlib import Path

from mdaug.data.readers.contents import LabelKeys
from mdaug.errors import DataError

PREFERRED_STEMS = ("", "ref", "dft")
"""``REF_energy`` and ``REF_forces`` have a stem in common; the first of these that is there is taken."""

WORDS = ("free_energy", "energies", "energy", "gradients", "gradient", "forces", "force", "potential")
"""Words that stand for the quantity; what is left of a name is its stem."""

TOTAL = ("tot", "total")
"""Stems that mean no more than the plain name: ``TotEnergy``."""


def pair_labels(
    energies: Sequence[str], forces: Sequence[str], keys: LabelKeys, path: Path, names: Sequence[str]
) -> tuple[str, str | None, list[str]]:
    """Return the names of energy and forces that belong together, and notes on the choice.

    Parameters
    ----------
    energies, forces
        Names of all energies and of all forces in the file.
    keys
        Names that the user states, and whether forces may be missing.
    path
        The file, for messages.
    names
        Names of everything in the file, for messages.

    Returns
    -------
    energy, forces, notes
        `forces` is None if the file has none and they may be missing.

    Raises
    ------
    DataError
        If a stated name is missing, or no energy and forces belong together.
    """
    for option, name, known in (
        ("--energy-key", keys.energy, energies),
        ("--forces-key", keys.forces, forces),
    ):
        if name is not None and name not in known:
            raise DataError(f"{path}: {option} {name}: no such key; the file has {listed(known)}")
    if keys.energy and not keys.forces and keys.forces_optional:
        forces = [name for name in forces if stem(name) == stem(keys.energy)]
    pairs = _pairs([keys.energy] if keys.energy else energies, [keys.forces] if keys.forces else forces, keys)
    if pairs:
        return _first(pairs)
    if energies and keys.forces_optional and (keys.energy or not forces):
        chosen = [keys.energy] if keys.energy else sorted(energies, key=_rank)
        return chosen[0], None, []
    if energies and forces:
        raise DataError(
            f"{path}: energies {listed(energies)} and forces {listed(forces)} are of different names; "
            "state which belong together with --energy-key and --forces-key"
        )
    missing, example, option = "energy", "energy=… in its comment line", "--energy-key"
    if energies:
        missing, example, option = "forces", "a column forces:R:3", "--forces-key"
    raise DataError(
        f"{path}: frame 0 has no {missing}; expected some in every frame "
        f"(extended xyz: {example}); it has {listed(names)} ({option} states another name)"
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


def _pairs(energies: Sequence[str], forces: Sequence[str], keys: LabelKeys) -> list[tuple[str, str]]:
    """Return the pairs that belong together, the preferred one first."""
    if keys.energy and keys.forces:
        return [(keys.energy, keys.forces)]
    forces_of_stem = {stem(name): name for name in reversed(forces)}
    pairs = [(name, forces_of_stem[stem(name)]) for name in energies if stem(name) in forces_of_stem]
    if not pairs and (keys.energy or keys.forces) and len(energies) == len(forces) == 1:
        return [(energies[0], forces[0])]
    return sorted(pairs, key=lambda pair: _rank(pair[0]))


def _rank(name: str) -> tuple[int, bool]:
    """Return the order of preference: a total energy beside a potential one includes the kinetic energy."""
    ranks = {stem_: n for n, stem_ in enumerate(PREFERRED_STEMS)}
    return ranks.get(stem(name), len(ranks)), "tot" in name.lower()

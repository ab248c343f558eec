"""Units of a file: names and spellings that users and files may state, and factors to eV and Å."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import TypeVar

from ase import units as ase_units

from mdaug.errors import DataError
from mdaug.units import EV_PER_ENERGY_UNIT

T = TypeVar("T")

A_PER_LENGTH_UNIT = MappingProxyType({"Angstrom": 1.0, "Bohr": ase_units.Bohr, "nm": 10.0, "pm": 0.01})

_ENERGY_SPELLINGS = {
    "eV": ("ev", "electronvolt", "electronvolts"),
    "kcal/mol": ("kcal/mol", "kcal/mole", "kcalmol-1", "kcalpermol"),
    "kJ/mol": ("kj/mol", "kj/mole", "kjmol-1", "kjpermol"),
    "meV": ("mev",),
    "Hartree": ("hartree", "hartrees", "ha", "eh", "e_h", "au", "a.u.", "atomic"),
    "Ry": ("ry", "rydberg", "rydbergs"),
}
_LENGTH_SPELLINGS = {
    "Angstrom": ("angstrom", "angstroms", "ang", "a", "å", "ångström", "ångstrom", "angstroem"),
    "Bohr": ("bohr", "bohrs", "a0", "au", "a.u.", "bohrradius"),
    "nm": ("nm", "nanometer", "nanometers", "nanometre"),
    "pm": ("pm", "picometer", "picometers"),
}
_ENERGY = {spelling: name for name, spellings in _ENERGY_SPELLINGS.items() for spelling in spellings}
_LENGTH = {spelling: name for name, spellings in _LENGTH_SPELLINGS.items() for spelling in spellings}
_FORCE = {
    spelling.format(energy, length): (_ENERGY[energy], _LENGTH[length])
    for energy, length in product(_ENERGY, _LENGTH)
    for spelling in ("{}/{}", "{}{}-1", "{}/({})")
} | {"au": ("Hartree", "Bohr"), "a.u.": ("Hartree", "Bohr"), "atomic": ("Hartree", "Bohr")}

_EV_A3_PER_PRESSURE = {
    "gpa": ase_units.GPa,
    "mpa": 1e-3 * ase_units.GPa,
    "pa": ase_units.Pascal,
    "kbar": 1e3 * ase_units.bar,
    "bar": ase_units.bar,
}
_EV_A3_PER_STRESS = {
    spelling.format(energy, length): EV_PER_ENERGY_UNIT[_ENERGY[energy]]
    / A_PER_LENGTH_UNIT[_LENGTH[length]] ** 3
    for energy, length in product(_ENERGY, _LENGTH)
    for spelling in ("{0}/{1}3", "{0}/({1}3)", "{0}/{1}/{1}/{1}", "{0}{1}-3")
} | _EV_A3_PER_PRESSURE


@dataclass(frozen=True)
class StatedUnits:
    """The units in which a file is read.

    Parameters
    ----------
    energy
        Of the energies: a key of `mdaug.units.EV_PER_ENERGY_UNIT`.
    force_energy, force_length
        Of the forces, energy by length.
    length
        Of positions and cells: a key of `A_PER_LENGTH_UNIT`.
    """

    energy: str
    force_energy: str
    force_length: str = "Angstrom"
    length: str = "Angstrom"

    @classmethod
    def of_energy(cls, energy: str) -> "StatedUnits":
        """Return the units of a file with lengths in Å and forces in `energy` per Å."""
        return cls(energy, energy)

    @property
    def ev_per_energy(self) -> float:
        """Factor of the energies to eV."""
        return EV_PER_ENERGY_UNIT[self.energy]

    @property
    def ev_a_per_force(self) -> float:
        """Factor of the forces to eV/Å."""
        return EV_PER_ENERGY_UNIT[self.force_energy] / A_PER_LENGTH_UNIT[self.force_length]

    @property
    def a_per_length(self) -> float:
        """Factor of the lengths to Å."""
        return A_PER_LENGTH_UNIT[self.length]

    @property
    def ev_a3_per_stress(self) -> float:
        """Factor of stresses, energy by cubic length, to eV/Å³."""
        return self.ev_per_energy / self.a_per_length**3

    @property
    def force(self) -> str:
        """Name of the unit of the forces: ``kcal/mol/Angstrom``."""
        return f"{self.force_energy}/{self.force_length}"

    def options(self, default: "StatedUnits") -> str:
        """Return the command-line options that state these units.

        Parameters
        ----------
        default
            The units in which the file is read without these options, or was read with others.
        """
        options = [f"--units {self.energy}"]
        is_usual = (self.force_energy, self.force_length) == (self.energy, self.length)
        if not is_usual or default.force_length != default.length:
            options.append(f"--force-units {self.force}")
        if self.length != "Angstrom" or default.length != "Angstrom":
            options.append(f"--length-units {self.length}")
        return " ".join(options)


def stated_units(
    default: StatedUnits,
    energy: str | None = None,
    force: str | None = None,
    length: str | None = None,
    *,
    where: str = "",
) -> StatedUnits:
    """Return the units of a file from what its format says and what the user states.

    Parameters
    ----------
    default
        Units of the format, or those that the file names.
    energy, force, length
        Units stated by the user in any spelling; None where nothing is stated. Stated energy or length units
        without force units mean forces in that energy per that length.
    where
        File or set, for the message.

    Raises
    ------
    DataError
        For an unknown unit.
    """
    energy_name = default.energy if energy is None else energy_unit(energy, where)
    length_name = default.length if length is None else length_unit(length, where)
    if force is not None:
        force_energy, force_length = force_unit(force, where)
    else:
        force_energy = energy_name if energy is not None else default.force_energy
        force_length = length_name if length is not None else default.force_length
    return StatedUnits(energy_name, force_energy, force_length, length_name)


def energy_unit(text: str, where: str = "") -> str:
    """Return the key of `EV_PER_ENERGY_UNIT` that `text` spells, or raise DataError."""
    return _lookup(text, _ENERGY, "energy", where, tuple(EV_PER_ENERGY_UNIT))


def length_unit(text: str, where: str = "") -> str:
    """Return the key of `A_PER_LENGTH_UNIT` that `text` spells, or raise DataError."""
    return _lookup(text, _LENGTH, "length", where, tuple(A_PER_LENGTH_UNIT))


def force_unit(text: str, where: str = "") -> tuple[str, str]:
    """Return the energy and the length unit of the force unit that `text` spells, or raise DataError."""
    expected = ("eV/Angstrom", "kcal/mol/Angstrom", "kJ/mol/nm", "Hartree/Bohr", "Ry/Bohr", "…")
    return _lookup(text, _FORCE, "force", where, expected)


def factor_of_stress(text: str, units: StatedUnits, where: str = "") -> float:
    """Return the factor of stresses to energy by cubic length of a file.

    Parameters
    ----------
    text
        Unit of the stresses, such as ``GPa``; empty where it is that of the file.
    units
        Units of the file.
    where
        File and record, for the message.

    Raises
    ------
    DataError
        For an unknown unit.
    """
    if not text:
        return 1.0
    factor = _lookup(text, _EV_A3_PER_STRESS, "stress", where, ("eV/Angstrom^3", "GPa", "kbar", "…"))
    return factor / units.ev_a3_per_stress


def signed_factor_of_stress(text: str, units: StatedUnits, where: str = "") -> float:
    """Return the same as `factor_of_stress`, negative where `text` begins with a minus.

    Parameters
    ----------
    text, units, where
        As for `factor_of_stress`.
    """
    plain = text.strip()
    is_negative = plain[:1] in ("-", "−")
    return (-1 if is_negative else 1) * factor_of_stress(plain[is_negative:], units, where)


def factor_of_virial(text: str, units: StatedUnits, where: str = "") -> float:
    """Return the factor of virials to the energy unit of a file.

    Parameters
    ----------
    text
        Unit of the virials, such as ``eV``; empty where it is that of the file.
    units, where
        As for `factor_of_stress`.
    """
    return EV_PER_ENERGY_UNIT[energy_unit(text, where)] / units.ev_per_energy if text else 1.0


def _lookup(text: str, spellings: Mapping[str, T], kind: str, where: str, expected: tuple[str, ...]) -> T:
    plain = re.sub(r"[\s*^·]|\*\*", "", text.strip().lower())
    if plain not in spellings:
        place = f"{where}: " if where else ""
        raise DataError(f"{place}unknown {kind} unit {text!r}; expected {', '.join(expected)}")
    return spellings[plain]

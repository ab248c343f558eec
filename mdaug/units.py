"""Constants and conversions of units.

Internal units are ASE's: energy eV, length Å, mass amu, time Å·sqrt(amu/eV). Users see fs, K and kcal/mol.
"""

from types import MappingProxyType

from ase import units as _ase

EV_PER_KCAL_MOL: float = _ase.kcal / _ase.mol
KCAL_MOL_PER_EV: float = 1.0 / EV_PER_KCAL_MOL
BOLTZMANN_EV_K: float = _ase.kB
COULOMB_EV_A: float = _ase.Hartree * _ase.Bohr
"""e²/(4π ε₀), eV Å."""
GPA_PER_EV_A3: float = 1.0 / _ase.GPa
FS: float = _ase.fs
"""One femtosecond in ASE's unit of time."""

EV_PER_ENERGY_UNIT = MappingProxyType(
    {
        "eV": 1.0,
        "kcal/mol": EV_PER_KCAL_MOL,
        "kJ/mol": _ase.kJ / _ase.mol,
        "meV": 1e-3,
        "Hartree": _ase.Hartree,
        "Ry": _ase.Rydberg,
    }
)
"""Energy units that users may state (``--units``); forces are in this unit per Å unless stated otherwise."""

"""Level of theory: method, basis sets, charge, spin."""

from pydantic import field_validator

from mdaug.options import Options

COMPOSITE = "composite"
WAVE_FUNCTIONS = ("hf", "mp2", "df-mp2", "ccsd", "ccsd(t)")
WITH_FORCES = ("hf", "mp2", "df-mp2")
"""Wave functions with gradients (df-mp2's by differences); every density functional has them as well."""


class Level(Options):
    """Level of theory of ab-initio energies."""

    method: str = COMPOSITE
    """composite (DF-MP2 in --basis + [CCSD(T) − MP2] in --correction-basis), hf, mp2, df-mp2, ccsd, ccsd(t),
    or a density functional of PySCF, for example pbe."""

    basis: str = "cc-pVTZ"
    """Basis set, by its name in PySCF."""

    correction_basis: str = "cc-pVDZ"
    """Smaller basis set of the composite's [CCSD(T) − MP2]."""

    frozen_core: bool = True
    """Freeze the core electrons in correlated methods (in the composite: in [CCSD(T) − MP2] only)."""

    core_correlation: bool = True
    """With the composite and a frozen core, correlate the core electrons in DF-MP2, so that the energy is
    all-electron in --basis."""

    forces: bool = False
    """Also compute forces: hf, mp2, df-mp2 (by differences) and density functionals only."""

    charge: int = 0
    """Total charge in e."""

    multiplicity: int = 1
    """Spin multiplicity 2S+1; above 1 all orbitals are unrestricted."""

    @field_validator("method")
    @classmethod
    def _lower_case(cls, method: str) -> str:
        return method.lower()

    @property
    def is_density_functional(self) -> bool:
        """Whether the method is a density functional."""
        return self.method not in (COMPOSITE, *WAVE_FUNCTIONS)

    @property
    def has_forces(self) -> bool:
        """Whether forces can be computed at this level."""
        return self.is_density_functional or self.method in WITH_FORCES

    @property
    def adds_core(self) -> bool:
        """Whether the correlation of the core electrons is computed and added."""
        return self.method == COMPOSITE and self.frozen_core and self.core_correlation

    @property
    def small_basis(self) -> str:
        """The basis in which broken-symmetry solutions are sought and checked."""
        return self.correction_basis if self.method == COMPOSITE else self.basis

    @property
    def name(self) -> str:
        """Usual notation, for example ``CCSD(T)/cc-pVTZ``."""
        if self.method == COMPOSITE:
            core = "" if self.adds_core or not self.frozen_core else "frozen-core "
            return f"{core}DF-MP2/{self.basis} + [CCSD(T) - MP2]/{self.correction_basis}"
        return f"{self.method.upper()}/{self.basis}"

    @property
    def identity(self) -> str:
        """All settings that change a stored energy, as text: part of its key."""
        correction = f" {self.correction_basis}" if self.method == COMPOSITE else ""
        core = "frozen core" if self.frozen_core else "all electrons"
        return (
            f"{self.method} {self.basis}{correction}, {core}, charge {self.charge}, "
            f"multiplicity {self.multiplicity}"
        ).lower()

"""An ASE calculator that a command uses instead of a model: how it is made, its start and its record."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.archives import parse_json
from mdaug.errors import DataError, SettingsError
from mdaug.quantum.calculators import XTB_METHODS, calculator_factory, check_spin
from mdaug.sampling.structures import formal_charge, starting_structures
from mdaug.workflows.settings.options import CalculatorOptions

EXPECTED_ARGUMENTS = 'expected a JSON object, for example {"accuracy": 0.1}'


@dataclass(frozen=True)
class CalculatorChoice:
    """How a calculator is made.

    Parameters
    ----------
    name
        A method of tblite, or an ASE calculator as module:Class.
    arguments
        Keyword arguments of the calculator.
    charge
        Total charge, e.
    multiplicity
        Spin multiplicity 2S+1.
    """

    name: str
    arguments: dict[str, Any]
    charge: int = 0
    multiplicity: int = 1

    @classmethod
    def from_options(cls, options: CalculatorOptions, structure: str | None) -> Self | None:
        """Return the calculator that the options name, None where they name none.

        Parameters
        ----------
        options
            Options of the command.
        structure
            Structure file or SMILES string, whose charge is used where the options give none.

        Raises
        ------
        DataError
            The arguments are not a JSON object, or the charge is not that of the SMILES string.
        """
        if options.calculator is None:
            return None
        return cls(
            options.calculator,
            parse_arguments(options.calculator_arguments or "{}"),
            total_charge(structure, options.charge),
            options.multiplicity or 1,
        )

    @property
    def label(self) -> str:
        """Name for figures and files: the class without its module."""
        return self.name.rpartition(":")[2]

    @property
    def level(self) -> dict[str, Any]:
        """Charge and multiplicity, under the names that a model's manifest has for them."""
        return {"charge": self.charge, "multiplicity": self.multiplicity}

    def make(self) -> Calculator:
        """Return a new calculator.

        Raises
        ------
        MissingDependencyError
            tblite or the module is not installed.
        DataError
            There is no such calculator, or it does not accept the arguments.
        """
        factory = calculator_factory(
            self.name, self.arguments, charge=self.charge, multiplicity=self.multiplicity
        )
        try:
            made = factory()
        except (TypeError, ValueError) as error:
            raise DataError(
                f"calculator {self.name!r} cannot be made with the arguments {self.arguments} ({error}); "
                "give its keyword arguments as JSON with --calculator-arguments"
            ) from error
        if not (hasattr(made, "get_property") and hasattr(made, "get_potential_energy")):
            raise DataError(
                f"calculator {self.name!r} makes a {type(made).__name__}; expected an ASE calculator"
            )
        return made

    def start(self, structure: str | None) -> Atoms:
        """Return the start structure, which a calculator does not have of its own.

        Parameters
        ----------
        structure
            A structure file or SMILES string.

        Raises
        ------
        SettingsError
            There is none.
        DataError
            It cannot be read, or its electrons do not allow the multiplicity.
        """
        if structure is None:
            raise SettingsError(
                f"--calculator {self.name}: a calculator has no start structure of its own; give one with "
                "--structure (a file or a SMILES string)"
            )
        atoms = starting_structures(structure, 1)[0]
        if self.name in XTB_METHODS and not atoms.pbc.any():
            check_spin(atoms, self.charge, self.multiplicity)
        return atoms

    def to_json(self) -> dict[str, Any]:
        """Return the record of the calculator in ``config.json`` and result files."""
        return {"calculator": self.name, "calculator_arguments": self.arguments, **self.level}

    @classmethod
    def resumed(cls, record: dict[str, Any], given: Self | None, where: Path) -> Self:
        """Return the calculator of a run that is resumed; the user must name again one that is imported.

        Parameters
        ----------
        record
            From `to_json`.
        given
            The calculator that the user names, None for the recorded one.
        where
            File of the record, for messages.

        Raises
        ------
        DataError
            The user names another calculator, or none and the record one to import: a record may come from
            others, and an import executes code.
        """
        recorded = cls.from_record(record)
        if given is None and recorded.name not in XTB_METHODS:
            raise DataError(
                f"{where}: the run was made with {recorded.described}, whose code a resume imports and "
                "executes; name it again with these options if you trust it"
            )
        if given is not None and given != recorded:
            raise DataError(
                f"{where}: the run began with {recorded.described}, not with {given.described}; resume with "
                "that one"
            )
        return recorded

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Return the calculator of a record that this process, or the one that sent it, has made.

        Parameters
        ----------
        record
            From `to_json`.
        """
        return cls(
            str(record["calculator"]),
            dict(record["calculator_arguments"]),
            int(record["charge"]),
            int(record["multiplicity"]),
        )

    @property
    def described(self) -> str:
        """The options that name the calculator, as typed."""
        text = f"--calculator {self.name}"
        if self.arguments:
            text += f" --calculator-arguments '{json.dumps(self.arguments)}'"
        text += f" --charge {self.charge}" if self.charge else ""
        return text + (f" --multiplicity {self.multiplicity}" if self.multiplicity != 1 else "")


def total_charge(structure: str | None, given: int | None) -> int:
    """Return the given charge, or else that of a SMILES string; the two must agree.

    Parameters
    ----------
    structure
        Structure file or SMILES string; None for neither.
    given
        Charge, e; None if none is given.

    Raises
    ------
    DataError
        The two differ.
    """
    stated = None if structure is None else formal_charge(structure)
    if None not in (stated, given) and stated != given:
        raise DataError(
            f"{structure}: the SMILES string has charge {stated:+d}, --charge is {given:+d}; "
            "leave --charge out, or write the SMILES with its charge"
        )
    return given or stated or 0


def parse_arguments(text: str) -> dict[str, Any]:
    """Return the value of ``--calculator-arguments``.

    Parameters
    ----------
    text
        A JSON object.

    Raises
    ------
    DataError
        It is none.
    """
    try:
        arguments = parse_json(text)
    except ValueError as error:
        raise DataError(f"--calculator-arguments {text!r}: {error}; {EXPECTED_ARGUMENTS}") from error
    if not isinstance(arguments, dict):
        raise DataError(f"--calculator-arguments {text!r}: {EXPECTED_ARGUMENTS}")
    return arguments

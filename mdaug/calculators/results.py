"""Results of a calculator, with outputs that ASE has no name for."""

from typing import Any


class Results(dict[str, Any]):
    """ASE's results, and other outputs that are found by their names but not listed.

    ``results["extrapolation"]`` works, and so does what accepts the names of ASE only, for example
    ``SinglePointCalculator(atoms, **results)``.

    Parameters
    ----------
    results
        Results by the names of ASE.
    **others
        Other outputs; those that are None are left out.
    """

    def __init__(self, results: dict[str, Any], **others: Any) -> None:
        super().__init__(results)
        self._others = {name: value for name, value in others.items() if value is not None}

    def __missing__(self, name: str) -> Any:
        """Return another output."""
        return self._others[name]

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a result or other output."""
        return super().__contains__(name) or name in self._others

    def get(self, name: str, default: Any = None) -> Any:
        """Return a result or another output, `default` if there is none.

        Parameters
        ----------
        name
            Its name.
        default
            What is returned otherwise.
        """
        return super().get(name, self._others.get(name, default))

"""History of a training by epoch: history.csv."""

from dataclasses import astuple, dataclass, field, fields
from pathlib import Path

from mdaug.files import write_text


@dataclass(frozen=True)
class Epoch:
    """One row of history.csv, with losses in units of the model's energy scale (and Å).

    `validation_loss` is always that of squared errors, `training_loss` that of the settings: with the Huber
    loss the two are not comparable.
    """

    epoch: int
    learning_rate: float
    training_loss: float
    validation_loss: float
    validation_energy_mae_kcal_mol: float
    validation_force_mae_kcal_mol_A: float


@dataclass
class History:
    """All epochs so far."""

    epochs: list[Epoch] = field(default_factory=list)

    def append(self, epoch: Epoch) -> None:
        """Add an epoch.

        Parameters
        ----------
        epoch
            The newest one.
        """
        self.epochs.append(epoch)

    def rows(self) -> list[list[float]]:
        """Return the epochs as lists of numbers, as a checkpoint saves them."""
        return [list(astuple(epoch)) for epoch in self.epochs]

    @classmethod
    def from_rows(cls, rows: list[list[float]]) -> "History":
        """Return the history with the numbers from `rows`.

        Parameters
        ----------
        rows
            One list for each epoch, in the order of the fields of `Epoch`.
        """
        return cls([Epoch(int(row[0]), *row[1:]) for row in rows])

    def write(self, path: Path) -> None:
        """Write comma-separated values, atomically.

        Parameters
        ----------
        path
            The file.
        """
        header = ",".join(column.name for column in fields(Epoch))
        lines = [",".join(f"{value:.8g}" for value in row) for row in self.rows()]
        write_text(path, "\n".join([header, *lines]) + "\n")

    @classmethod
    def read(cls, path: Path) -> "History":
        """Return the history in a file.

        Parameters
        ----------
        path
            A history.csv.
        """
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        return cls.from_rows([[float(value) for value in line.split(",")] for line in lines])

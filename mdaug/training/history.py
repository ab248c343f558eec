"""History of a training by epoch: history.csv."""

from dataclasses import astuple, dataclass, field, fields
from math import nan
from pathlib import Path

from mdaug.files import write_text


@dataclass(frozen=True)
class Epoch:
    """One row of history.csv, with losses in units of the model's energy scale (and Å).

    The training loss of several systems is in the unit of each (`SchNet.unit`). `validation_loss` is always
    that of squared errors, `training_loss` that of the settings: with the Huber loss the two are not
    comparable. The last column, the error of volume times stress for each of its nine
    components, exists if validation frames have stresses.
    """

    epoch: int
    learning_rate: float
    training_loss: float
    validation_loss: float
    validation_energy_mae_kcal_mol: float
    validation_force_mae_kcal_mol_A: float
    validation_virial_mae_kcal_mol: float | None = None


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
        return [[value for value in astuple(epoch) if value is not None] for epoch in self.epochs]

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
        rows = self.rows()
        n_columns = max(map(len, rows), default=0)
        header = ",".join(column.name for column in fields(Epoch)[:n_columns])
        padded = [[*row, *[nan] * (n_columns - len(row))] for row in rows]  # epochs of an older checkpoint
        lines = [",".join(f"{value:.8g}" for value in row) for row in padded]
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

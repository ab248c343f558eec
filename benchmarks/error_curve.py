"""Held-out errors against training time, one row an epoch; used by both sides of time_to_accuracy.py.

Imports nothing of mdaug, since SchNetPack's environment runs it too.
"""

import csv
import os
import time


def _cpu_seconds():
    """CPU time of this process and of those it started and waited for."""
    return sum(os.times()[:4])


CLOCKS = {"wall": time.perf_counter, "cpu": _cpu_seconds}
HEADERS = {clock: [f"{clock}_s", "epoch", "energy_mae_kcal_mol", "force_mae_kcal_mol_A"] for clock in CLOCKS}


def read_curve(path):
    """Return a file's clock and its rows (seconds, epoch, energy MAE, force MAE); None and [] without it."""
    if not path.exists():
        return None, []
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    clock = next((clock for clock, expected in HEADERS.items() if header == expected), None)
    if clock is None:
        raise SystemExit(f"{path}: columns {','.join(header)} are not those of a curve")
    return clock, [(float(s), int(epoch), float(energy), float(force)) for s, epoch, energy, force in rows]


class Curve:
    """A CSV file with a row an epoch, and the clock that runs while there is training."""

    def __init__(self, path, clock, last_epoch):
        earlier_clock, rows = read_curve(path)
        if earlier_clock not in (None, clock):
            raise SystemExit(
                f"{path} was begun with --clock {earlier_clock}; continue with that, or use another folder"
            )
        kept = [row for row in rows if row[1] <= last_epoch]
        self.path, self.now = path, CLOCKS[clock]
        self.seconds = kept[-1][0] if kept else 0.0
        self._began = None
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([HEADERS[clock], *kept])

    def start(self):
        """The clock runs from here."""
        self._began = self.now()

    def stop(self):
        """The clock stands still until `start`."""
        self.seconds += self.now() - self._began

    def add(self, epoch, energy_mae, force_mae):
        """Append a row; it is in the file when this returns."""
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow((self.seconds, epoch, energy_mae, force_mae))
        print(f"{self.seconds:8.1f} s  epoch {epoch}  {force_mae:.3f} kcal/mol/Å", flush=True)

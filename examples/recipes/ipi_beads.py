"""Path-integral dynamics of a model by i-PI: python ipi_beads.py MODEL [STEPS]

Needs i-PI (pip install ipi). i-PI moves the beads; this script is its client, by ASE's socket, and sends
energies and forces. Several clients of one server each evaluate a part of the beads.
"""

import subprocess
import sys
import time
from pathlib import Path

from ase.calculators.socketio import SocketClient
from ase.io import write

from mdaug import MDAugCalculator
from mdaug.frames import structure_from_json

INPUT = """<simulation verbosity='low'>
  <output prefix='beads'>
    <properties stride='1' filename='out'>
      [step, time{{femtosecond}}, conserved, potential, kinetic_cv]
    </properties>
  </output>
  <total_steps>{n_steps}</total_steps>
  <prng><seed>1</seed></prng>
  <ffsocket name='mdaug' mode='unix' pbc='False'>
    <address>{address}</address>
  </ffsocket>
  <system>
    <initialize nbeads='{n_beads}'>
      <file mode='xyz'> start.xyz </file>
      <velocities mode='thermal' units='kelvin'> 300 </velocities>
    </initialize>
    <forces> <force forcefield='mdaug'/> </forces>
    <motion mode='dynamics'>
      <dynamics mode='nvt'>
        <timestep units='femtosecond'> 0.25 </timestep>
        <thermostat mode='pile_g'> <tau units='femtosecond'> 25 </tau> </thermostat>
      </dynamics>
    </motion>
    <ensemble> <temperature units='kelvin'> 300 </temperature> </ensemble>
  </system>
</simulation>
"""


def main(model: str, n_steps: int = 20, n_beads: int = 4) -> Path:
    """Run in the working folder, and return the table of properties, beads.out."""
    calculator = MDAugCalculator(model)
    atoms = structure_from_json(calculator.manifest["training"]["reference_structure"])
    atoms.set_cell([100.0, 100.0, 100.0])  # i-PI wants a cell; the model sees a molecule (pbc is False)
    write(
        "start.xyz",
        atoms,
        format="xyz",
        comment="# CELL(abcABC): 100 100 100 90 90 90 cell{angstrom} positions{angstrom}",
    )
    address = f"mdaug-{time.time_ns()}"
    Path("input.xml").write_text(INPUT.format(n_steps=n_steps, n_beads=n_beads, address=address))
    server = subprocess.Popen([Path(sys.executable).with_name("i-pi"), "input.xml"])
    try:
        while not Path(f"/tmp/ipi_{address}").exists():
            if server.poll() is not None:
                raise RuntimeError("i-PI ended before it listened; see its output")
            time.sleep(0.1)
        atoms.calc = calculator
        SocketClient(unixsocket=address).run(atoms, use_stress=False)
    finally:
        server.terminate()
        server.wait()
    return Path("beads.out")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))

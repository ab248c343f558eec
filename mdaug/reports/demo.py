"""The page of the demo: a raw and an augmented model side by side, from springs to stability."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mdaug.analysis.accuracy import AccuracyResult
from mdaug.analysis.drift import DriftResult
from mdaug.analysis.scan import ScanResult
from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.analysis.stability import StabilityResult
from mdaug.reports.drift import drift_figure, drift_table
from mdaug.reports.html import Cell, Picture, Section, Table, write_page
from mdaug.reports.scan import scan_figure
from mdaug.reports.stability import stability_figure
from mdaug.reports.style import save
from mdaug.reports.training import accuracy_section, curves_section, springs_section
from mdaug.springs import SpringAnalysis
from mdaug.training.history import History


@dataclass(frozen=True)
class DemoLane:
    """One model of the demo and what was found about it; None where it could not be had."""

    name: str
    n_frames: int
    data: str
    springs: SpringAnalysis | None
    history: History
    seconds: float
    test: AccuracyResult | None
    scan: ScanResult | None
    drift: DriftResult | None
    stability: StabilityResult
    nve_stopped: str | None
    nvt_stopped: str | None


def write_demo_report(folder: Path, lanes: Sequence[DemoLane]) -> Path:
    """Write the figures and report.html into `folder`."""
    springs = next((lane.springs for lane in lanes if lane.springs is not None), None)
    sections = [
        Section("In short", tables=[summary_table(lanes)]),
        *springs_section(folder, springs),
        curves_section(folder, {lane.name: lane.history for lane in lanes}),
        *accuracy_section(folder, {lane.name: lane.test for lane in lanes}),
        *scan_section(folder, lanes),
        *drift_section(folder, lanes),
        stability_section(folder, lanes),
    ]
    return write_page(
        folder / "report.html",
        f"{lanes[0].data}: raw and augmented side by side",
        sections,
        summary=_summary(lanes),
        footer="Each model has a full report of its training in its own folder, beside model.pt.",
    )


def summary_table(lanes: Sequence[DemoLane]) -> Table:
    """Return a row for each question, a column for each model."""
    rows: list[list[Cell]] = [
        ["frames trained on", *(lane.n_frames for lane in lanes)],
        ["minutes of training", *(lane.seconds / 60.0 for lane in lanes)],
    ]
    if all(lane.test for lane in lanes):
        errors = [lane.test.to_json() for lane in lanes if lane.test]
        rows.append(["force MAE on test frames (kcal/mol/Å)", *(e["force_mae_kcal_mol_A"] for e in errors)])
        rows.append(["energy MAE on test frames (kcal/mol)", *(e["energy_mae_kcal_mol"] for e in errors)])
    scans = [lane.scan for lane in lanes if lane.scan]
    if len(scans) == len(lanes):
        metrics = [scan_metrics(scan) for scan in scans]
        rows.append([f"{scans[0].name} scan: false minima", *(m["n_spurious_minima"] for m in metrics)])
        rows.append([f"{scans[0].name} scan: false maxima", *(m["n_spurious_maxima"] for m in metrics)])
        if all(m["reference"] for m in metrics):
            key = "rmse_below_150_kcal_mol"
            label = "rmse to the reference below 150 kcal/mol (kcal/mol)"
            rows.append([label, *(m["reference"][key] for m in metrics)])
    rows.append(["energy drift (meV/atom/ps)", *(_drift(lane) for lane in lanes)])
    rows.append(["first broken bond", *(_broken(lane) for lane in lanes)])
    return Table(["", *(lane.name for lane in lanes)], rows)


def scan_section(folder: Path, lanes: Sequence[DemoLane]) -> list[Section]:
    """Return the section of the bond scans, or none."""
    # augmented first: colours go by order, and blue stands for augmented everywhere
    scans = [lane.scan for lane in reversed(lanes) if lane.scan is not None]
    if not scans:
        return []
    text = (
        f"Energy and force as {scans[0].name} is pushed together and pulled apart. Grey: distances that the "
        "training frames visit; outside it a model has only what it made of them."
    )
    if scans[0].reference_label:
        text += f" Dashed: {scans[0].reference_label}, which also labelled the frames."
    return [Section("Bond scan", text, [save(scan_figure(scans), folder / "scan.png")])]


def drift_section(folder: Path, lanes: Sequence[DemoLane]) -> list[Section]:
    """Return the section of the energy drift of the NVE runs."""
    results = [lane.drift for lane in lanes if lane.drift is not None]
    text = (
        "Total energy at constant energy, 300 K. A force field whose forces are the gradient of its energy, "
        "smooth at its cutoff, neither gains nor loses any."
    )
    stopped = [f"{lane.name}: {lane.nve_stopped}." for lane in lanes if lane.nve_stopped]
    text = "\n\n".join([text, *stopped])
    if not results:
        return [Section("Energy drift", text)]
    figure = save(drift_figure(results), folder / "drift.png")
    return [Section("Energy drift", text, [figure], [drift_table(results)])]


def stability_section(folder: Path, lanes: Sequence[DemoLane]) -> Section:
    """Return the section of the thermostatted runs."""
    pictures = [
        Picture(save(stability_figure(lane.stability), folder / f"stability_{lane.name}.png"), lane.name)
        for lane in lanes
    ]
    text = (
        "Dynamics at the temperature of the frames. A bond is broken when it is further than "
        f"{lanes[0].stability.tolerance_A:g} Å from its mean in the training frames; distances and torsions "
        "are compared with those frames."
    )
    stopped = [f"{lane.name}: {lane.nvt_stopped}." for lane in lanes if lane.nvt_stopped]
    return Section("Stability", "\n\n".join([text, *stopped]), pictures)


def _summary(lanes: Sequence[DemoLane]) -> str:
    return (
        f"Two SchNet force fields from the same frames of {lanes[0].data}: one trained on the frames as they "
        "are, one also on distorted copies of them, whose energies and forces were learned from the frames. "
        "Both are as accurate as their short training allows; what differs is what they do where "
        "no frame has been."
    )


def _drift(lane: DemoLane) -> Cell:
    return "stopped" if lane.drift is None else lane.drift.slope_meV_per_atom_ps


def _broken(lane: DemoLane) -> str:
    found = lane.stability
    if found.first_broken_bond is not None and lane.nvt_stopped and "equilibration" in lane.nvt_stopped:
        return f"{found.first_broken_bond} in the equilibration"
    if found.first_broken_bond is not None:
        return f"{found.first_broken_bond} at {found.time_to_failure_ps:.3g} ps"
    if lane.nvt_stopped:
        return lane.nvt_stopped
    return f"none in {found.times_ps[-1]:.3g} ps"

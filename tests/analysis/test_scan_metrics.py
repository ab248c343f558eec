import numpy as np
import pytest

from mdaug.analysis.scan import ScanResult, scan_distances
from mdaug.analysis.scan_metrics import extrema, largest_fall, scan_metrics, scan_verdicts

D = scan_distances(0.6, 2.5, 0.02)
WELL = 100.0 * (1 - np.exp(-2.2 * (D - 0.97))) ** 2
SLOPE = 2 * 100.0 * 2.2 * np.exp(-2.2 * (D - 0.97)) * (1 - np.exp(-2.2 * (D - 0.97)))


def scan_of(energy, force=None):
    return ScanResult(
        "model", (2, 8), "O2-H8", (8,), 0.97, D, energy, -np.gradient(energy, D) if force is None else force
    )


def bump(height, at, width):
    return height * np.exp(-(((D - at) / width) ** 2))


def test_a_clean_well_has_nothing_wrong():
    metrics = scan_metrics(scan_of(WELL, -SLOPE))
    assert metrics["n_spurious_minima"] == metrics["n_spurious_maxima"] == 0
    assert metrics["minimum_distance_A"] == pytest.approx(0.97, abs=0.011)
    assert metrics["inner_wall_monotonic"] and metrics["outer_wall_monotonic"]
    assert not metrics["failure"]["false_barrier"]
    assert metrics["force_minus_gradient_max_kcal_mol_A"] < 0.05
    assert metrics["reference"] is None


def test_false_barrier_of_the_papers_figure_is_found_with_place_height_and_fall():
    falling = np.where(D > 1.4, 80.0 * (D - 1.4), 0.0)
    metrics = scan_metrics(scan_of(np.where(D < 1.4, WELL, np.interp(1.4, D, WELL)) - falling))
    failure = metrics["failure"]
    assert failure["false_barrier"]
    assert failure["position_A"] == pytest.approx(1.4, abs=0.02)
    assert failure["height_kcal_mol"] == pytest.approx(np.interp(1.4, D, WELL), abs=0.5)
    assert failure["fall_kcal_mol"] == pytest.approx(80.0 * 1.1, abs=1.0)
    assert failure["falls_below_zero"]
    assert metrics["n_spurious_maxima"] == 1
    assert not metrics["outer_wall_monotonic"]
    assert metrics["inner_wall_monotonic"]


def test_a_barrier_beyond_the_window_is_spurious_but_no_false_barrier():
    metrics = scan_metrics(scan_of(WELL + bump(20.0, 2.2, 0.1)))
    assert metrics["n_spurious_maxima"] == 1
    assert not metrics["failure"]["false_barrier"]
    assert metrics["failure"]["position_A"] is None


@pytest.mark.parametrize(("amplitude", "counted"), [(0.2, 0), (2.0, 1)])
def test_only_bumps_above_the_prominence_count(amplitude, counted):
    plateau = np.minimum(WELL, 60.0)
    metrics = scan_metrics(scan_of(plateau + bump(amplitude, 2.0, 0.05)))
    assert metrics["n_spurious_maxima"] == counted
    assert metrics["outer_wall_monotonic"] == (counted == 0)


def test_second_well_on_the_inner_wall():
    metrics = scan_metrics(scan_of(WELL - bump(150.0, 0.7, 0.04)))
    assert metrics["n_spurious_minima"] == 1
    assert metrics["spurious_minima_A"] == pytest.approx([0.7], abs=0.03)
    assert not metrics["inner_wall_monotonic"]
    assert metrics["outer_wall_monotonic"]


def test_a_curve_without_minimum_near_the_start_has_no_real_one():
    metrics = scan_metrics(scan_of(100.0 * (D - 2.0) ** 2))
    assert metrics["minimum_distance_A"] is None
    assert metrics["n_spurious_minima"] == 1
    assert not metrics["outer_wall_monotonic"]


def test_errors_to_the_reference_and_below_150():
    reference = np.linspace(200.0, 0.0, len(D))
    scan = scan_of(reference + np.where(reference < 150.0, 3.0, 40.0)).with_reference(reference, "true")
    against_reference = scan_metrics(scan)["reference"]
    below = int((reference < 150.0).sum())
    everything = np.sqrt((below * 9.0 + (len(D) - below) * 1600.0) / len(D))
    assert against_reference["rmse_below_150_kcal_mol"] == pytest.approx(3.0)
    assert against_reference["n_points_below_150_kcal_mol"] == below
    assert against_reference["rmse_kcal_mol"] == pytest.approx(everything)
    assert against_reference["largest_error_kcal_mol"] == pytest.approx(40.0)


def test_unknown_reference_points_are_left_out():
    reference = WELL.copy()
    reference[:10] = np.nan
    against_reference = scan_metrics(scan_of(WELL + 2.0).with_reference(reference, "true"))["reference"]
    assert against_reference["n_points"] == len(D) - 10
    assert against_reference["rmse_kcal_mol"] == pytest.approx(2.0)


def test_a_force_that_jumps_where_the_energy_does_not():
    force = -SLOPE + np.where(D > 1.5, 30.0, 0.0)
    metrics = scan_metrics(scan_of(WELL, force))
    assert metrics["largest_unexplained_force_jump_kcal_mol_A"] == pytest.approx(30.0, abs=0.5)
    assert metrics["force_minus_gradient_max_kcal_mol_A"] == pytest.approx(30.0, abs=0.5)


def test_largest_jump_is_beside_what_the_energy_implies():
    metrics = scan_metrics(scan_of(WELL, -SLOPE))
    assert metrics["largest_force_jump_at_A"] == pytest.approx(0.61)
    assert metrics["force_jump_implied_by_energy_kcal_mol_A"] == pytest.approx(
        metrics["largest_force_jump_kcal_mol_A"], rel=0.01
    )


def test_extrema_and_falls_of_a_zigzag():
    minima, maxima = extrema(np.array([0.0, 3.0, 1.0, 2.0, 1.8, 5.0]))
    assert (minima.tolist(), maxima.tolist()) == ([2], [1])
    assert largest_fall(np.array([0.0, 3.0, 1.0, 4.0, 3.5])) == 2.0


def verdicts(scan):
    return [verdict.verdict for verdict in scan_verdicts(scan)]


def test_verdicts_of_a_clean_well_with_and_without_reference():
    assert verdicts(scan_of(WELL)) == ["ok", "cannot tell"]
    assert verdicts(scan_of(WELL).with_reference(WELL + bump(4.0, 1.2, 0.2), "DFT")) == ["ok", "ok"]
    wrong = scan_of(WELL).with_reference(WELL + 6.0, "DFT")
    assert verdicts(wrong) == ["ok", "warning"]
    error = scan_verdicts(wrong)[1]
    assert (error.value, error.limit) == (pytest.approx(6.0), 5.0)
    assert error.text == "The rms error against DFT below 150 kcal/mol is 6 kcal/mol; the limit is 5."


def test_a_spurious_minimum_that_md_reaches_is_an_error_and_one_out_of_reach_a_warning():
    reached = scan_verdicts(scan_of(WELL - bump(30.0, 1.8, 0.1)))[0]
    assert reached.verdict == "error"
    assert reached.text.startswith("Spurious minimum at 1.78 Å, maximum at 1.64 Å; the limit is none.")
    assert "MD reaches it over 57 kcal/mol" in reached.text
    hill = bump(200.0, 1.6, 0.1)
    assert verdicts(scan_of(WELL + hill))[0] == "warning"


def test_an_extremum_that_the_reference_has_too_is_not_spurious():
    curve = WELL - bump(30.0, 1.8, 0.1)
    assert verdicts(scan_of(curve).with_reference(curve, "DFT"))[0] == "ok"
    shifted = WELL - bump(30.0, 2.2, 0.1)
    assert verdicts(scan_of(curve).with_reference(shifted, "DFT"))[0] == "error"


def test_metrics_hold_the_verdicts():
    content = scan_metrics(scan_of(WELL))["verdicts"]
    assert [entry["verdict"] for entry in content] == ["ok", "cannot tell"]
    assert content[0]["name"] == "shape of the O2-H8 scan"

"""Look-ups by hand and by their properties; springs.json."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mdaug.errors import DataError
from mdaug.springs import PairSprings, Springs
from mdaug.units import BOLTZMANN_EV_K, EV_PER_KCAL_MOL

KT = BOLTZMANN_EV_K * 500.0


def pair(distance, sigma, weight):
    sigma = np.array(sigma)
    return PairSprings(np.array(distance), KT / sigma**2, np.array(weight), sigma)


THREE = pair([1.0, 2.0, 2.4], [0.05, 0.2, 0.1], [0.2, 0.5, 0.3])
SPRINGS = Springs(500.0, {"H-O": THREE, "C-C": pair([1.5], [0.05], [1.0])})

distances = st.floats(0.1, 6.0)


@pytest.mark.parametrize(("d", "component"), [(0.2, 0), (1.49, 0), (1.51, 1), (2.19, 1), (2.21, 2), (9.0, 2)])
def test_nearest_takes_the_spring_of_the_closest_mean(d, component):
    assert SPRINGS.lookup("H-O", d, "nearest") == THREE.k[component]


@given(distances)
def test_nearest_is_the_smallest_difference(d):
    assume(np.ptp(np.sort(np.abs(d - THREE.distance))[:2]) > 1e-9)
    assert SPRINGS.lookup("H-O", d, "nearest") == THREE.k[np.argmin(np.abs(d - THREE.distance))]


def test_linear_by_hand():
    k = THREE.k
    found = SPRINGS.lookup("H-O", np.array([[0.5, 1.0, 1.25], [2.3, 2.4, 5.0]]), "linear")
    expected = [[k[0], k[0], 0.75 * k[0] + 0.25 * k[1]], [0.25 * k[1] + 0.75 * k[2], k[2], k[2]]]
    np.testing.assert_allclose(found, expected)


def test_linear_is_continuous():
    grid = np.linspace(0.5, 3.0, 20_001)
    k = SPRINGS.lookup("H-O", grid, "linear")
    slope = np.abs(np.diff(THREE.k) / np.diff(THREE.distance)).max()
    assert np.abs(np.diff(k)).max() <= slope * (grid[1] - grid[0]) * 1.0001


def test_responsibility_by_hand():
    def bell(d, m):
        z = (d - THREE.distance[m]) / THREE.sigma[m]
        return THREE.weight[m] * np.exp(-(z**2) / 2) / THREE.sigma[m]

    shares = np.array([bell(2.25, m) for m in range(3)])
    expected = (shares @ THREE.k) / shares.sum()
    assert SPRINGS.lookup("H-O", 2.25, "responsibility") == pytest.approx(expected, rel=1e-12)


@given(distances)
def test_responsibilities_sum_to_one(d):
    shares = THREE.responsibilities(np.array(d))
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.all(shares >= 0)


@pytest.mark.parametrize(("d", "component"), [(0.3, 0), (0.84, 0), (2.71, 2), (8.0, 2)])
def test_responsibility_is_clamped_to_the_end_components(d, component):
    # the widest component, the middle one, has all the responsibility far out
    assert SPRINGS.lookup("H-O", d, "responsibility") == THREE.k[component]


@given(distances, st.sampled_from(["nearest", "linear", "responsibility"]))
def test_springs_lie_between_the_least_and_the_greatest(d, rule):
    assert THREE.k.min() * (1 - 1e-12) <= SPRINGS.lookup("H-O", d, rule) <= THREE.k.max() * (1 + 1e-12)


@pytest.mark.parametrize("rule", ["nearest", "linear", "responsibility"])
def test_one_spring_is_the_same_everywhere(rule):
    grid = np.linspace(0.5, 4, 50).reshape(5, 10)
    np.testing.assert_allclose(SPRINGS.lookup("C-C", grid, rule), np.full((5, 10), KT / 0.0025))


def test_unknown_pair_says_what_there_is():
    with pytest.raises(DataError, match=r"C-O, only for H-O, C-C; fit"):
        SPRINGS.lookup("C-O", 1.4)


def test_springs_json_is_the_contract(tmp_path):
    SPRINGS.write(tmp_path / "springs.json")
    content = json.loads((tmp_path / "springs.json").read_text())
    assert set(content) == {"temperature_K", "units", "pairs"}
    assert content["temperature_K"] == 500.0
    assert [row["distance"] for row in content["pairs"]["H-O"]] == [1.0, 2.0, 2.4]
    assert set(content["pairs"]["C-C"][0]) == {"distance", "k", "weight"}
    assert content["pairs"]["C-C"][0]["k"] == pytest.approx(0.0019872043 * 500 / 0.0025, rel=1e-6)


def test_springs_json_is_read_back_with_its_widths(tmp_path):
    SPRINGS.write(tmp_path / "springs.json")
    again = Springs.read(tmp_path / "springs.json").pairs["H-O"]
    for name in ("distance", "k", "weight", "sigma"):
        np.testing.assert_allclose(getattr(again, name), getattr(THREE, name), rtol=1e-12)


def test_rows_of_springs_json_may_come_in_any_order():
    rows = [{"distance": d, "k": k, "weight": 0.5} for d, k in ((2.0, 50.0), (1.0, 400.0))]
    springs = Springs.from_json({"temperature_K": 300, "units": "", "pairs": {"H-H": rows}})
    assert springs.pairs["H-H"].distance.tolist() == [1.0, 2.0]
    assert springs.lookup("H-H", 0.9) == pytest.approx(400 * EV_PER_KCAL_MOL)


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        '{"pairs": {}}',
        '{"temperature_K": 300, "pairs": {"H-H": [{"distance": 1, "k": -1, "weight": 1}]}}',
        '{"temperature_K": 300, "pairs": {"H-H": [{"distance": 1}]}}',
    ],
)
def test_a_broken_springs_json_is_one_clear_line(tmp_path, text):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(DataError, match=r"s\.json cannot be read as springs"):
        Springs.read(tmp_path / "s.json")


def test_a_missing_springs_json_is_one_clear_line(tmp_path):
    with pytest.raises(DataError, match=r"none\.json cannot be read as springs \(FileNotFoundError"):
        Springs.read(tmp_path / "none.json")

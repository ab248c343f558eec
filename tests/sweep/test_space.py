"""What `--vary` says becomes dimensions, points and changes of the configuration."""

import pytest

from mdaug.errors import DataError
from mdaug.sweep.options import PAPER
from mdaug.sweep.space import Choices, Range, changes_of, grid, parse_space
from mdaug.workflows.settings.config import RunConfig


def test_lists_are_choices_and_colons_are_ranges():
    space = parse_space(
        ["augment.rule=isotropic,projected", "augment.epsilon=0.01:0.5:log", "augment.n_frames=50:400"],
        RunConfig(),
    )
    assert space == [
        Choices("augment.rule", ("isotropic", "projected")),
        Range("augment.epsilon", 0.01, 0.5, log=True),
        Range("augment.n_frames", 50, 400, log=False),
    ]
    assert space[2].is_integer and not space[1].is_integer
    assert grid(space) is None


def test_a_grid_has_every_point_once():
    space = parse_space(["augment.epsilon=0.1,0.2", "augment.n_displaced=1,9"], RunConfig())
    assert grid(space) == [
        {"augment.epsilon": epsilon, "augment.n_displaced": n} for epsilon in (0.1, 0.2) for n in (1, 9)
    ]


def test_the_default_is_the_grid_of_the_paper():
    points = grid(parse_space([PAPER], RunConfig()))
    assert [point["augment.epsilon"] for point in points] == [0.01, 0.03, 0.05, 0.07, 0.09, 0.11, 0.2, 0.5]


def test_components_of_one_pair_keep_the_others():
    config = RunConfig().replace({"springs": {"components": {"H-H": 4, "H-C": 3}}})
    changes = changes_of({"springs.components.H-C": 2, "springs.components.C-C": 1}, config)
    assert config.replace(changes).springs.n_components == {"H-H": 4, "H-C": 2, "C-C": 1}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["epsilon=0.1"], "expected SECTION.KEY="),
        (["augment.epsilon"], "expected SECTION.KEY="),
        (["augment.epsilon=0.5:0.1"], "LOW < HIGH"),
        (["augment.rule=a:b"], "LOW < HIGH"),
        (["augment.epsilon=0:0.1:log"], "must start above zero"),
        (["augment.epsilon=0.1", "augment.epsilon=0.2"], "given twice"),
        (["augment.epsilom=0.1"], "did you mean 'epsilon'"),
        (["augment.epsilon=-0.1,0.1"], "greater than 0"),
        (["augment.rule=isotropic,harmonic"], "'harmonic'"),
    ],
)
def test_refusals(texts, message):
    with pytest.raises(DataError, match=message):
        parse_space(texts, RunConfig())

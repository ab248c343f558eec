"""What commands conclude from their arguments."""

from pathlib import Path

import pytest

from mdaug.cli.arguments import subject_of
from mdaug.workflows.run_folders.runs import LATEST
from mdaug.workflows.settings.options import CalculatorOptions

ONE, OTHER = Path("one"), Path("other")


@pytest.mark.parametrize(
    ("models", "calculator", "subject"),
    [
        ([], None, LATEST),
        ([ONE], None, ONE),
        ([ONE, OTHER], None, None),
        ([], "GFN2-xTB", None),
        ([ONE], "GFN2-xTB", ONE),
    ],
)
def test_a_run_is_named_after_its_only_model(models, calculator, subject):
    assert subject_of(models, CalculatorOptions(calculator=calculator)) == subject

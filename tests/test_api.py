"""`import mdaug` is cheap and offers the functions of the pipeline."""

import inspect
import subprocess
import sys

import pytest

import mdaug


@pytest.mark.parametrize("name", mdaug.__all__)
def test_every_export_has_an_example(name):
    documentation = inspect.getdoc(getattr(mdaug, name)) or ""
    assert "Examples\n--------" in documentation
    assert ">>> " in documentation


def test_import_loads_nothing_heavy():
    code = "import sys, mdaug; print([m for m in ('torch', 'ase', 'numpy', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="module 'mdaug' has no attribute 'fit_spring'"):
        mdaug.fit_spring  # noqa: B018
    assert {"train", "__version__"} <= set(dir(mdaug))

"""Execute notebooks and keep their output: python examples/execute.py [NOTEBOOK …]."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

for name in sys.argv[1:] or sorted(map(str, Path(__file__).parent.glob("*.ipynb"))):
    notebook = nbformat.read(name, as_version=4)
    NotebookClient(notebook, timeout=1800, coalesce_streams=True).execute()
    nbformat.write(notebook, name)
    print(f"executed {name}", flush=True)

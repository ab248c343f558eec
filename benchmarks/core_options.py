"""`mdaug bench` with a core that is compiled with other options of the compiler.

    python benchmarks/core_options.py -march=x86-64-v3 -- bench --clock cpu --parts molecule --width 128

What stands before `--` is added to the options of the core (x86-64-v3: AVX2); the rest are arguments of
mdaug.
"""

import sys
from dataclasses import replace

from mdaug.cli.app import main
from mdaug.native import build

if __name__ == "__main__":
    end = sys.argv.index("--")
    build.CORE = replace(build.CORE, options=(*sys.argv[1:end], *build.CORE.options))
    sys.exit(main(sys.argv[end + 1 :]))

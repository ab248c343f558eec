#!/usr/bin/env bash
# The command that made the scans of this folder, the most important first. From the repository's root:
#   bash inputs/reference/scans.sh --workers 16 --out runs/reference
# It takes some 300 minutes of one core. Stopped (Ctrl-C, `timeout -s INT 8m …`) and started again, it goes on
# where it was: every finished point is in the file of --points.
exec "${PYTHON:-python3}" -c "import sys; from mdaug.cli.app import main; sys.exit(main())" \
    reference inputs/reference/ethanol.xyz --method composite --basis cc-pVTZ --correction-basis cc-pVDZ \
    --scan bond:2-8 --scan bond:0-2 --scan bond:0-1 \
    --scan bond:0-3 --scan bond:1-5 --scan bond:1-6 --scan bond:0-4 --scan bond:1-7 \
    --scan torsion:1-0-2-8 --scan angle:1-0-2 \
    --scan approach:3-8 --scan approach:3-6 --scan approach:2-6=1.3:3.1:0.1 \
    --scan bond:2-8=0.8:2:0.2+bond:0-2=1.2:2.2:0.2 "$@"

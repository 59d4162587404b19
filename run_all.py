"""The command: `python run_all.py --task cfa`; `python run_all.py --help` tells the rest."""

import sys

from harness.cli.app import main

if __name__ == "__main__":
    sys.exit(main())

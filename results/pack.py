"""Pack the answers of runs that an older version of the program left:   python results/pack.py FOLDER

`answers.jsonl` becomes `answers.jsonl.gz`, a sixth of its size, and the record gets schema 2. Scores, ids and the checksums
of answers stay as they are, and both forms are read, so nobody has to do this. The list of checksums of a publication is
written anew, if it held before; `python run_all.py publish` then writes its page, which names the files.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from harness.errors import HarnessError
from harness.store import packing, records
from harness.verify.checks import files


def main(root: Path) -> int:
    """Pack all runs below a folder; 2 if it cannot be done."""
    sums = root / files.SUMS
    try:
        for check in files.publication_checks(root) if sums.exists() else []:
            if not check.ok:
                problem = f"what is published was changed: {check.name}: {check.detail}"
                raise HarnessError(problem, where=str(root / check.path), fix="git checkout it")
        folders = packing.pack(root)
        if sums.exists():
            records.write_text(sums, files.sums_text(root))
    except HarnessError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{len(folders)} runs packed below {root}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

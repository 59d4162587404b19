"""Words in, words out: one module a command.

Only `terminal/` prints, and no module here computes a number.
"""

from harness.cli.app import main as main

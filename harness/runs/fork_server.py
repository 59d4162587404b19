"""The first import of the fork server: from here on it ends with the program that started it, in the middle of the others."""

import os

from harness import processes

processes.become_helper(int(os.environ.get(processes.STARTER, os.getppid())))

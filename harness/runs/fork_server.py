"""The first import of the fork server: from here on it ends with the program that started it, in the middle of the others."""

from harness import lifetime

lifetime.become_fork_server()

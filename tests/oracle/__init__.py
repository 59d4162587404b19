"""Comparisons with programs that no one here wrote: lm-eval's picks, TRL's and PEFT's losses; see `__main__`."""

"""Econometrics: one subject of MMLU, with its splits (see `mmlu`)."""

from tasks import mmlu

TASK = mmlu.subject("econometrics", "Econometrics (MMLU)")

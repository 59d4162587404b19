"""Microeconomics, high school: one subject of MMLU, with its splits (see `mmlu`)."""

from tasks import mmlu

TASK = mmlu.subject("high_school_microeconomics", "Microeconomics, high school (MMLU)")

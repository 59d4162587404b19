"""Professional accounting: one subject of MMLU, with its splits (see `mmlu`)."""

from tasks import mmlu

TASK = mmlu.subject("professional_accounting", "Professional accounting (MMLU)")

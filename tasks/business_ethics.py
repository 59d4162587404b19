"""Business ethics: one subject of MMLU, with its splits (see `mmlu`)."""

from tasks import mmlu

TASK = mmlu.subject("business_ethics", "Business ethics (MMLU)")

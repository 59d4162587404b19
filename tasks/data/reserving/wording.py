"""The wording of reserving questions: every split has its own sentences for the same facts and questions."""

from __future__ import annotations

from tasks.data.reserving.triangle import AGES, Triangle

LINES = {  # with the tail of their development
    "motor liability": "medium",
    "general liability": "long",
    "workers' compensation": "medium",
    "homeowners' insurance": "short",
    "professional indemnity": "long",
    "commercial property insurance": "short",
    "marine cargo insurance": "short",
    "medical malpractice insurance": "long",
}
MEASURES = ("reported", "paid")

TITLES = {
    "train": (
        "Cumulative {measure} losses of {line} in thousands, by accident year and age in months:",
        "{Line}: cumulative {measure} losses (thousands) at ages in months:",
        "The actuary's file on {line} has this triangle of cumulative {measure} losses, in thousands:",
    ),
    "validation": ("Triangle for {line}, cumulative {measure} losses in thousands:",),
    "test": (
        "An insurer writes {line}. Its cumulative {measure} losses, in thousands, at successive ages:",
        "Data for the reserve review of {line} (cumulative {measure} losses, thousands):",
    ),
}
PREMIUMS = {
    "train": (
        "Earned premium, in thousands: {premiums}. Expected loss ratio: {ratio} %.",
        "Premiums earned, also in thousands, were {premiums}; a loss ratio of {ratio} % is expected.",
    ),
    "validation": ("Earned premiums in thousands {premiums}, expected loss ratio {ratio} %.",),
    "test": ("In thousands, premiums of {premiums} were earned; they were priced for a loss ratio of {ratio} %.",),
}
TAIL = {
    "train": (
        "There is no development after 48 months. Factors are volume-weighted over all years and have three decimals.",
        "All losses are known at 48 months. Use volume-weighted factors of all years, rounded to three decimals.",
    ),
    "validation": ("Losses are final at 48 months; take all-year volume-weighted factors with three decimals.",),
    "test": (
        "After 48 months nothing changes. Weight factors by volume over all years and round them to three decimals.",
    ),
}
ASKS: dict[str, dict[str, tuple[str, ...]]] = {
    "factor": {
        "train": (
            "What is the development factor from {start} to {end} months?",
            "Compute the {start}-to-{end} month development factor.",
        ),
        "validation": ("State the age-to-age factor {start}–{end}.",),
        "test": ("By which factor do losses grow between {start} and {end} months?",),
    },
    "factor to ultimate": {
        "train": (
            "What is the factor to ultimate for accident year {year}?",
            "Compute the cumulative development factor to ultimate of {year}.",
        ),
        "validation": ("State the age-to-ultimate factor that applies to {year}.",),
        "test": ("Which factor takes accident year {year} from its latest age to ultimate?",),
    },
    "ultimate loss": {
        "train": (
            "By chain ladder, what is the ultimate loss of accident year {year}?",
            "Project the ultimate loss of {year} by the chain ladder method.",
        ),
        "validation": ("Give the chain ladder estimate of ultimate loss for {year}.",),
        "test": ("To what amount will accident year {year} develop according to the chain ladder?",),
    },
    "unreported loss": {
        "train": (
            "By chain ladder, how much of {year} is still to be {measure}?",
            "What reserve for losses not yet {measure} does the chain ladder give for {year}?",
        ),
        "validation": ("Give the chain ladder estimate of {year}'s losses not yet {measure}.",),
        "test": ("What part of accident year {year}'s chain ladder ultimate has not been {measure} so far?",),
    },
    "ultimate loss, expected": {
        "train": (
            "By the expected loss ratio, what is the ultimate loss of {year}?",
            "Estimate the ultimate loss of accident year {year} from its premium and the expected loss ratio.",
        ),
        "validation": ("Give the expected loss ratio method's ultimate for {year}.",),
        "test": ("Ignoring the triangle, what ultimate loss do premium and pricing imply for {year}?",),
    },
    "unreported loss, expected": {
        "train": (
            "By the expected loss ratio, how much of {year} is still to be {measure}?",
            "What reserve for losses not yet {measure} does the expected loss ratio give for {year}?",
        ),
        "validation": ("Give the expected loss ratio method's amount of {year} not yet {measure}.",),
        "test": ("If {year} ends at the loss ratio it was priced for, how much has not been {measure} so far?",),
    },
    "unreported loss, B-F": {
        "train": (
            "By Bornhuetter-Ferguson, how much of {year} is still to be {measure}?",
            "What reserve for losses not yet {measure} does the Bornhuetter-Ferguson method give for {year}?",
        ),
        "validation": ("Give the Bornhuetter-Ferguson estimate of {year}'s losses not yet {measure}.",),
        "test": ("Which amount not yet {measure} does Bornhuetter-Ferguson add to accident year {year}?",),
    },
    "ultimate loss, B-F": {
        "train": (
            "By Bornhuetter-Ferguson, what is the ultimate loss of accident year {year}?",
            "Project the ultimate loss of {year} by the Bornhuetter-Ferguson method.",
        ),
        "validation": ("Give the Bornhuetter-Ferguson estimate of ultimate loss for {year}.",),
        "test": ("At what ultimate loss does Bornhuetter-Ferguson put accident year {year}?",),
    },
}


def table(triangle: Triangle) -> str:
    """Return the triangle as a table with a row for each accident year."""
    lines = ["year | " + " | ".join(map(str, AGES))]
    for year, row in zip(triangle.years, triangle.rows, strict=True):
        lines.append(f"{year} | " + " | ".join(f"{loss:,}" for loss in row))
    return "\n".join(lines)


def premiums(triangle: Triangle) -> str:
    """Return the premiums with their years, as in a sentence."""
    return ", ".join(f"{p:,} ({y})" for y, p in zip(triangle.years, triangle.premiums, strict=True))

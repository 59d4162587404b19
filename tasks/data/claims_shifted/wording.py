"""The wording of another insurer's policies and notifications of loss, with no sentence of `claims`.

The words of `claims` that carry the meaning are replaced, too: the deductible is an excess, the limit a maximum,
coinsurance a reimbursement rate, papers are documents. Only the four decisions have the same names, as answers need them.
"""

from __future__ import annotations

# Parts of a policy in the printed order, each with its kinds of clause.
PARTS: dict[str, tuple[str, ...]] = {
    "TERM": ("in force", "waiting"),
    "SCOPE": ("cover", "exclusion"),
    "BENEFITS": ("limit", "sub-limit", "deductible", "coinsurance"),
    "HANDLING": ("papers", "duplicate", "authority"),
}

HEADER = (
    "CERTIFICATE {policy} – {line} – all sums in pounds sterling",
    "{line} certificate {policy} (pounds sterling)",
)

CLAUSES: dict[str, tuple[str, ...]] = {
    "in force": (
        "Insured events happen from {start} to {end}, both days counted.",
        "Insurance begins on {start} and its final day is {end}.",
    ),
    "waiting": (
        "No benefit for events before or on {until}.",
        "Benefits start the day after {until}.",
    ),
    "cover": (
        "This certificate insures against {line} events.",
        "Insured: events of the {line} class.",
    ),
    "exclusion": (
        "Not insured: events caused by {causes}.",
        "No benefit if the event is {causes}.",
    ),
    "limit": (
        "Maximum benefit for an event: {amount}.",
        "No event is settled above {amount}.",
    ),
    "sub-limit": (
        "For {item} we count at most {amount}.",
        "{item}: inner maximum {amount}.",
    ),
    "deductible": (
        "Excess borne by the insured person: {amount}.",
        "The first {amount} of an event is the excess, borne by you.",
    ),
    "coinsurance": (
        "Reimbursement rate after the excess: {share} percent.",
        "Of what remains after the excess we reimburse {share} percent.",
    ),
    "papers": (
        "Documents to be enclosed: {papers}. If one lacks, the case is referred.",
        "Without {papers} enclosed, the case is referred.",
    ),
    "duplicate": (
        "A notification with day and sum of the previous one is referred.",
        "If day and sum repeat the previous notification, it is referred.",
    ),
    "authority": (
        "The desk decides up to {amount}; what asks for more is referred.",
        "Requests exceeding {amount} are referred to a specialist.",
    ),
}

ORDER = (
    "Worked through as {order}. A reduced benefit is put down to the clause that lowers it most, a whole one to what is insured.",
    "Sequence: {order}. If the benefit is reduced, the clause that lowers it most is named, otherwise the one that says what is insured.",
)

CLAIM: dict[str, tuple[str, ...]] = {
    "loss": (
        "Insured person {holder} notified us: event {cause}, which happened on {date}.",
        "Event of {date}: {cause}. Notified by insured person {holder}.",
    ),
    "amount": (
        "Requested for {item}: {amount}.",
        "The request is {amount}, and concerns {item}.",
    ),
    "sent": (
        "Enclosed documents: {papers}.",
        "Documents that came with it: {papers}.",
    ),
    "earlier": (
        "Previous notification: {amount}, day {date}.",
        "There was a previous notification of {date} about {amount}.",
    ),
}

QUESTION = (
    "Your ruling (pay, pay in part, deny, refer); the sum; the clause that decides?",
    "Rule on the case: pay, pay in part, deny or refer; sum; deciding clause.",
    "How is it settled (pay, pay in part, deny or refer), at what sum, by which clause?",
)

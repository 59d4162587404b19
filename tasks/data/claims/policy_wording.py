"""The wording of policy schedules: per kind of sentence, one set of templates per split.

The sets of two splits have no template in common. The words that carry the meaning (deductible, limit, excluded,
waiting period, in force) occur in all of them, as in policies of real insurers.
"""

from __future__ import annotations

# The kinds of clause, each printed on its own line under a number.
CLAUSES = (
    "cover",
    "in force",
    "waiting",
    "exclusion",
    "papers",
    "duplicate",
    "authority",
    "sub-limit",
    "deductible",
    "coinsurance",
    "limit",
)

POLICY_WORDING: dict[str, dict[str, tuple[str, ...]]] = {
    "number": {
        "train": (
            "{n}. ",
            "{n}) ",
            "({n}) ",
            "Clause {n}: ",
            "{n}: ",
            "[{n}] ",
            "{n} - ",
            "No. {n}: ",
        ),
        "validation": (
            "Cl. {n}: ",
            "<{n}> ",
        ),
        "test": (
            "Clause {n}. ",
            "[{n}]: ",
            "({n}): ",
            "{n}.) ",
        ),
    },
    "header": {
        "train": (
            "{line} policy {policy}, USD",
            "Policy {policy}, {line}, USD",
            "{line} insurance {policy}, sums in USD",
            "Schedule of {line} policy {policy} (USD)",
            "Policy {policy}. Line: {line}. USD",
            "{policy}: {line} policy in USD",
            "USD policy {policy}, {line} risks",
            "Policy no. {policy} / {line} / USD",
        ),
        "validation": (
            "Schedule {policy}, {line}, USD",
            "{line} policy, number {policy}, USD",
        ),
        "test": (
            "Policy {policy} ({line}, USD)",
            "{line} policy {policy} - USD",
            "Schedule to policy {policy}, {line}, USD",
            "Insurance policy {policy}: {line}, USD",
            "Policy number {policy}, {line}, USD",
        ),
    },
    "order": {
        "train": (
            "Clauses apply in the order {order}. In part: name the one that takes most; in full: the cover.",
            "Order of the clauses: {order}. A part payment names the largest cut, a full one the cover.",
            "Apply the clauses in this order: {order}. Paid in part, cite what cuts most; in full, the cover.",
            "The clauses work in the order {order}; a part payment cites the largest cut, full payment the cover.",
            "In order: {order}. If paid in part, the clause is the one with the largest cut; if in full, the cover.",
            "Order {order} decides. For a part payment cite the clause that takes most, else the cover.",
            "Read the clauses in the order {order}. In part: cite the largest reduction; in full: cover.",
            "Clauses in order of application: {order}. In part, name the largest cut; in full, the cover.",
        ),
        "validation": (
            "Order of application {order}. Payment in part: cite the largest cut; in full: the cover.",
            "One after the other: clauses {order}. In part, cite what takes most; in full, the cover.",
        ),
        "test": (
            "The clauses are applied in the order {order}. A payment in part cites the largest cut, one in full the cover.",
            "Order of application: {order}. In part: cite the clause that cuts most; in full: the cover.",
            "Go through the clauses in the order {order}. If in part, cite what reduces most; if in full, the cover.",
            "Applied in order: {order}. For payment in part, the clause with the largest cut is named; in full, the cover.",
        ),
    },
    "cover": {
        "train": (
            "We cover {line} losses.",
            "Cover: {line} losses.",
            "Covered are {line} losses.",
            "Cover for {line} losses.",
            "Cover of the holder: {line} losses.",
            "Losses under cover: {line}.",
            "Cover extends to {line} losses.",
            "Cover given: {line} losses.",
        ),
        "validation": (
            "Covered: {line} losses.",
            "This is cover for {line} losses.",
        ),
        "test": (
            "We give cover for {line} losses.",
            "Losses covered: {line}.",
            "Cover applies to {line} losses.",
            "Holder's cover: {line} losses.",
        ),
    },
    "in force": {
        "train": (
            "In force from {start} to {end}.",
            "In force {start} to {end}.",
            "Policy in force from {start} through {end}.",
            "Period in force: {start} to {end}.",
            "In force from {start} until {end}.",
            "In force between {start} and {end}.",
            "In force: first day {start}, last day {end}.",
            "In force: {start} / {end}.",
        ),
        "validation": (
            "In force all days from {start} to {end}.",
            "Dates in force: {start} up to {end}.",
        ),
        "test": (
            "Policy in force {start} to {end}.",
            "In force as of {start} and until {end}.",
            "Term in force: from {start} to {end}.",
            "In force, {start} to {end}.",
            "Days in force: {start} through {end}.",
        ),
    },
    "waiting": {
        "train": (
            "Waiting period until {until}.",
            "Waiting period: losses up to {until} unpaid.",
            "The waiting period ends on {until}.",
            "Nothing paid in the waiting period, until {until}.",
            "Waiting period, last day {until}.",
            "Waiting period up to and including {until}.",
            "Waiting period ends {until}.",
            "Waiting until {until}: no payment.",
        ),
        "validation": (
            "Waiting period up to {until}.",
            "Waiting period: it ends {until}.",
        ),
        "test": (
            "Waiting period to {until}.",
            "The waiting period is until {until}.",
            "Waiting period: losses until {until} are not paid.",
            "A waiting period ends on {until}.",
            "Last day of the waiting period: {until}.",
        ),
    },
    "exclusion": {
        "train": (
            "Excluded: {causes}.",
            "Excluded causes: {causes}.",
            "Loss by {causes} is excluded.",
            "The following are excluded: {causes}.",
            "Excluded from this policy: {causes}.",
            "Causes excluded are {causes}.",
            "Any loss due to {causes} is excluded.",
            "Exclusions: {causes}.",
        ),
        "validation": ("Excluded losses: {causes}.", "Always excluded: {causes}."),
        "test": (
            "Excluded are {causes}.",
            "Excluded causes of loss: {causes}.",
            "Losses from {causes} are excluded.",
            "List of exclusions: {causes}.",
            "We exclude {causes}.",
        ),
    },
    "papers": {
        "train": (
            "Papers required, else refer: {papers}.",
            "Required papers: {papers}. Else refer.",
            "Papers needed: {papers}; if missing, refer.",
            "Refer without these papers: {papers}.",
            "Papers {papers} required; else refer.",
            "Papers to send, else refer: {papers}.",
            "Needed papers: {papers}. Refer if missing.",
            "Missing papers ({papers}): refer.",
        ),
        "validation": (
            "Papers asked for: {papers}; else refer.",
            "Refer if papers are missing: {papers}.",
        ),
        "test": (
            "Papers required: {papers}; else refer.",
            "Required papers, else refer: {papers}.",
            "Papers needed: {papers}. If missing, refer.",
            "Refer when papers are missing: {papers}.",
        ),
    },
    "duplicate": {
        "train": (
            "Date and amount of earlier claim: refer.",
            "Refer if date and amount equal the earlier claim.",
            "Duplicate (date and amount of earlier claim): refer.",
            "Same date and amount as earlier claim: refer.",
            "Duplicate of earlier claim by date and amount: refer.",
            "Refer duplicates: date and amount of earlier claim.",
            "Repeats date and amount of earlier claim: refer.",
            "Earlier claim with same date and amount: refer.",
        ),
        "validation": (
            "Refer if the earlier claim has this date and amount.",
            "Duplicates (date, amount of earlier claim): refer.",
        ),
        "test": (
            "Refer if date and amount are of the earlier claim.",
            "Duplicate, same date and amount as earlier claim: refer.",
            "Date and amount as in earlier claim: refer.",
            "Same date and amount in earlier claim: refer.",
        ),
    },
    "authority": {
        "train": (
            "Refer claims over {amount}.",
            "Claims over {amount}: refer.",
            "Above {amount} refer the claim.",
            "Refer if the claim is over {amount}.",
            "If more than {amount} is claimed, refer.",
            "Refer to an assessor above {amount}.",
            "A claim over {amount}: refer to an assessor.",
            "Claimed over {amount}: refer.",
        ),
        "validation": ("Refer any claim over {amount}.", "For claims above {amount}: refer."),
        "test": (
            "Claims above {amount}: refer.",
            "Refer a claim over {amount}.",
            "If over {amount} is claimed, refer.",
            "Refer claims above {amount} to an assessor.",
        ),
    },
    "sub-limit": {
        "train": (
            "Sub-limit for {item}: {amount}.",
            "Sub-limit {amount} for {item}.",
            "Sub-limit of {amount} on {item}.",
            "For {item} a sub-limit of {amount}.",
            "The sub-limit for {item} is {amount}.",
            "Sub-limit: {item} {amount}.",
            "Item {item}: sub-limit {amount}.",
            "A sub-limit of {amount} for {item}.",
        ),
        "validation": ("Sub-limit on {item}: {amount}.", "Sub-limit ({item}) {amount}."),
        "test": (
            "Sub-limit for {item} {amount}.",
            "The sub-limit on {item} is {amount}.",
            "For {item} the sub-limit is {amount}.",
            "Sub-limit of {amount} for {item}.",
            "Sub-limit, {item}: {amount}.",
        ),
    },
    "deductible": {
        "train": (
            "Deductible {amount} per claim.",
            "Deductible: {amount}.",
            "The deductible is {amount}.",
            "Deductible of {amount} each claim.",
            "Each claim: deductible {amount}.",
            "Deductible per claim: {amount}.",
            "Less a deductible of {amount}.",
            "Holder's deductible {amount}.",
        ),
        "validation": (
            "Deductible each claim: {amount}.",
            "A deductible of {amount}.",
        ),
        "test": (
            "Deductible {amount}.",
            "The deductible per claim is {amount}.",
            "Deductible for each claim: {amount}.",
            "Deductible of {amount} per claim.",
            "Deductible taken off: {amount}.",
        ),
    },
    "coinsurance": {
        "train": (
            "Coinsurance: we pay {share}%.",
            "Coinsurance, our share {share}%.",
            "We pay {share}% (coinsurance).",
            "By coinsurance we pay {share}%.",
            "Coinsurance: {share}% paid by us.",
            "Coinsurance share of insurer: {share}%.",
            "We pay {share}% as coinsurance.",
            "Coinsurance: insurer pays {share}%.",
        ),
        "validation": (
            "Coinsurance: {share}% is our share.",
            "Under coinsurance we pay {share}%.",
        ),
        "test": (
            "Coinsurance, we pay {share}%.",
            "Coinsurance: our share is {share}%.",
            "We pay {share}% under coinsurance.",
            "Coinsurance: insurer's share {share}%.",
        ),
    },
    "limit": {
        "train": (
            "Limit {amount} per claim.",
            "Limit: {amount}.",
            "The limit is {amount}.",
            "Limit of {amount} on each claim.",
            "We pay up to the limit of {amount}.",
            "Limit per claim: {amount}.",
            "Each claim has a limit of {amount}.",
            "Policy limit {amount}.",
        ),
        "validation": ("Limit each claim: {amount}.", "A limit of {amount} per claim."),
        "test": (
            "Limit {amount}.",
            "The limit per claim is {amount}.",
            "Limit for each claim: {amount}.",
            "Limit of {amount} per claim.",
            "Payment up to a limit of {amount}.",
        ),
    },
}

"""The wording of claim reports and questions: per kind of sentence, one set of templates per split.

As in `policy_wording`, the sets of two splits have no template in common.
"""

from __future__ import annotations

CLAIM_WORDING: dict[str, dict[str, tuple[str, ...]]] = {
    "loss": {
        "train": (
            "Claim of {holder}: {cause} on {date}.",
            "Claim by holder {holder}. Loss date {date}, cause {cause}.",
            "Holder {holder} reports {cause}, date {date}.",
            "Claim, holder {holder}: date {date}; cause {cause}.",
            "{holder} claims for {cause} on {date}.",
            "Date of loss {date}; cause: {cause}; holder {holder}.",
            "Claim report of {holder}. Cause: {cause}. Date: {date}.",
            "On {date} holder {holder} had a loss by {cause}.",
        ),
        "validation": ("Claim from {holder}: date {date}, {cause}.", "Loss on {date} by {cause}, claim of {holder}."),
        "test": (
            "Claim by {holder}: {cause}, date {date}.",
            "Claim of holder {holder}. Date of loss {date}, cause {cause}.",
            "Holder {holder} claims: cause {cause}, date {date}.",
            "Loss date {date}, cause {cause}, holder {holder}.",
            "Claim report, holder {holder}: {cause} on {date}.",
        ),
    },
    "amount": {
        "train": (
            "Item {item}, claimed {amount}.",
            "Claimed: {amount} for {item}.",
            "Claimed for {item}: {amount}.",
            "Item: {item}. Amount claimed: {amount}.",
            "Claimed amount {amount}, item {item}.",
            "{amount} is claimed for {item}.",
            "Claimed {amount} (item {item}).",
            "Item hit: {item}; claimed: {amount}.",
        ),
        "validation": ("Claimed on {item}: {amount}.", "Amount claimed {amount}, item {item}."),
        "test": (
            "Item: {item}; claimed {amount}.",
            "Claimed {amount} for {item}.",
            "Amount claimed for {item}: {amount}.",
            "Item {item}; amount claimed {amount}.",
            "Claimed amount: {amount}. Item: {item}.",
        ),
    },
    "sent": {
        "train": (
            "Papers sent: {papers}.",
            "Sent papers: {papers}.",
            "With papers {papers}.",
            "Papers received: {papers}.",
            "Papers on file: {papers}.",
            "Papers: {papers}.",
            "Attached papers: {papers}.",
            "The papers sent are {papers}.",
        ),
        "validation": ("Papers attached: {papers}.", "We received these papers: {papers}."),
        "test": (
            "Papers sent with the claim: {papers}.",
            "Received papers: {papers}.",
            "Papers sent were {papers}.",
            "Papers in the file: {papers}.",
        ),
    },
    "earlier": {
        "train": (
            "Earlier claim: {date}, {amount}.",
            "Earlier claim on {date} for {amount}.",
            "Earlier claim of {amount}, date {date}.",
            "There is an earlier claim: date {date}, amount {amount}.",
            "Earlier claim, date {date}, {amount}.",
            "Earlier claim dated {date}: {amount}.",
            "One earlier claim, {amount} on {date}.",
            "Earlier claim: {amount} ({date}).",
        ),
        "validation": ("Earlier claim over {amount}, dated {date}.", "An earlier claim, {date}: {amount}."),
        "test": (
            "Earlier claim: date {date}, amount {amount}.",
            "Earlier claim for {amount} on {date}.",
            "An earlier claim dated {date}, {amount}.",
            "Earlier claim {date}: {amount}.",
        ),
    },
    "question": {
        "train": (
            "Pay, pay in part, deny or refer; amount; clause?",
            "Adjudicate: pay, pay in part, deny, refer; amount; clause.",
            "Decide: pay, pay in part, deny or refer; amount; clause.",
            "Settle: pay, pay in part, deny or refer; amount; clause.",
            "Decision (pay, pay in part, deny, refer); amount; clause?",
            "Pay, pay in part, deny or refer? Amount; clause.",
            "Claim: pay, pay in part, deny or refer; amount; clause?",
            "Pay / pay in part / deny / refer; amount; clause?",
        ),
        "validation": (
            "Settlement (pay, pay in part, deny, refer); amount; clause?",
            "Decided: pay, pay in part, deny, refer; amount; clause?",
        ),
        "test": (
            "Adjudicate (pay, pay in part, deny, refer); amount; clause.",
            "Pay, pay in part, deny, refer; amount; clause?",
            "Decide (pay, pay in part, deny, refer); amount; clause.",
            "Pay, pay in part, deny or refer? Then amount; clause.",
        ),
    },
}

"""The wording of rating questions: every split has its own sentences for the facts and for each quantity."""

from __future__ import annotations

Wording = dict[str, dict[str, tuple[str, ...]]]

NAMES = {"relativities": {"a": "north", "b": "south", "c": "west"}}  # elsewhere A, B and C

FACTS: Wording = {
    "relativities": {
        "train": (
            "A motor tariff has a base rate of {base}. Territory relativities: north {a}, south {b}, west {c}. Fuel "
            "relativities: petrol {petrol}, diesel {diesel}. Drivers with a claim-free record get {credit} % off the rated "
            "premium. A policy fee of {fee} is added last.",
            "Base rate {base}. Territory factors: north {a}, south {b}, west {c}. Fuel factors: petrol {petrol}, diesel {diesel}. "
            "Credit for a claim-free record: {credit} % of the product. Flat fee, subject to no factor: {fee}.",
        ),
        "validation": (
            "Basic premium {base}; factors for north {a}, south {b}, west {c}, for petrol cars {petrol}, for diesel cars "
            "{diesel}. Claim-free drivers pay {credit} % less. Then comes a fixed fee of {fee}.",
        ),
        "test": (
            "An insurer charges {base} for a car before factors. By region the factor is {a} in the north, {b} in the south and "
            "{c} in the west; by fuel it is {petrol} for petrol and {diesel} for diesel. A driver without claims gets {credit} % "
            "off the result. Every policy pays {fee} on top.",
        ),
    },
    "earned premium": {
        "train": (
            "Three annual policies: A, premium {premium_a}, {months_a} months in force; B, {premium_b}, {months_b} months; C, "
            "{premium_c}, {months_c} months. On cancellation {charge} % of the unearned premium is kept as a short-rate charge.",
            "Annual premiums and whole months elapsed: A {premium_a} and {months_a}, B {premium_b} and {months_b}, C {premium_c} "
            "and {months_c}. Short-rate charge on cancellation: {charge} % of what is unearned.",
        ),
        "validation": (
            "One-year policies cost {premium_a} (A), {premium_b} (B) and {premium_c} (C); {months_a}, {months_b} and {months_c} "
            "months are over. A cancelled policy is charged {charge} % of its unearned part.",
        ),
        "test": (
            "Twelve months of cover were sold to A for {premium_a}, to B for {premium_b} and to C for {premium_c}. Of the months, "
            "{months_a} of A's, {months_b} of B's and {months_c} of C's are behind us. Whoever cancels loses {charge} % of the "
            "premium not yet earned.",
        ),
    },
    "credibility": {
        "train": (
            "Full credibility needs {standard} claims; partial credibility follows the square-root rule. Class A had "
            "{claims_a} claims of {observed_a} on average, class B {claims_b} claims of {observed_b}. The manual's average claim "
            "is {manual} for both.",
            "Square-root rule, full credibility at {standard} claims. Average claim observed: class A {observed_a} from "
            "{claims_a} claims, class B {observed_b} from {claims_b} claims. The complement of credibility goes to {manual}.",
        ),
        "validation": (
            "Limited-fluctuation credibility with {standard} claims for full weight. A: {claims_a} claims, severity "
            "{observed_a}. B: {claims_b} claims, severity {observed_b}. Severity in the manual {manual}.",
        ),
        "test": (
            "An average claim counts fully if it comes from {standard} claims, and with fewer its weight is the square root of "
            "their share. In A it was {observed_a} ({claims_a} claims), in B {observed_b} ({claims_b} claims); the manual says "
            "{manual}.",
        ),
    },
    "deductible and limit": {
        "train": (
            "A loss of {loss} occurs. The insurer pays the loss less the deductible, less the insured's coinsurance, up to the "
            "limit. Policy A: deductible {deductible_a}, coinsurance {share_a} %, limit {limit_a}. B: {deductible_b}, {share_b} "
            "%, {limit_b}. C: {deductible_c}, {share_c} %, {limit_c}.",
            "Deductible, then coinsurance of the insured, then limit. A: {deductible_a}, {share_a} %, {limit_a}. B: "
            "{deductible_b}, {share_b} %, {limit_b}. C: {deductible_c}, {share_c} %, {limit_c}. The loss is {loss}.",
        ),
        "validation": (
            "Covers A, B and C have deductibles of {deductible_a}, {deductible_b} and {deductible_c}, a share of {share_a}, "
            "{share_b} and {share_c} % of the rest for the insured, and limits of {limit_a}, {limit_b} and {limit_c} on what is "
            "then paid. A loss is {loss}.",
        ),
        "test": (
            "The same loss of {loss} strikes three insureds. Each bears a first part, A {deductible_a}, B {deductible_b}, C "
            "{deductible_c}, and of the rest A {share_a} %, B {share_b} % and C {share_c} %. What is left is paid by the insurer, "
            "but no more than {limit_a} to A, {limit_b} to B and {limit_c} to C.",
        ),
    },
    "increased limits": {
        "train": (
            "Average losses in thousands, limited at 100, 250 and 500 thousand: line A {at_100_a}, {at_250_a}, {at_500_a}; line B "
            "{at_100_b}, {at_250_b}, {at_500_b}; line C {at_100_c}, {at_250_c}, {at_500_c}. The basic limit is 100.",
            "Limited average severities at 100, 250 and 500 (thousands). A: {at_100_a}, {at_250_a}, {at_500_a}. B: {at_100_b}, "
            "{at_250_b}, {at_500_b}. C: {at_100_c}, {at_250_c}, {at_500_c}. Basic limit: 100.",
        ),
        "validation": (
            "Limited expected values in thousands for limits of 100, 250, 500: {at_100_a}, {at_250_a}, {at_500_a} (A), {at_100_b}, "
            "{at_250_b}, {at_500_b} (B), {at_100_c}, {at_250_c}, {at_500_c} (C). Factors are relative to 100.",
        ),
        "test": (
            "Capping each claim at 100 thousand leaves an average of {at_100_a} thousand in line A, {at_100_b} in B and {at_100_c} "
            "in C. Capped at 250 it is {at_250_a}, {at_250_b} and {at_250_c}, at 500 {at_500_a}, {at_500_b} and {at_500_c}. A limit "
            "of 100 is the basis of the tariff.",
        ),
    },
    "gross premium": {
        "train": (
            "Expected losses a policy: class A {loss_a}, B {loss_b}, C {loss_c}. Fixed expenses are {fixed} a policy. Variable "
            "expenses are {variable} % and the profit provision is {profit} % of the premium.",
            "Expected loss of A {loss_a}, of B {loss_b}, of C {loss_c}; fixed expense {fixed}; variable expense {variable} % of "
            "premium; profit {profit} % of premium.",
        ),
        "validation": (
            "Of each premium {variable} % go to variable costs and {profit} % to profit. A policy costs {loss_a} (A), {loss_b} (B) "
            "or {loss_c} (C) in losses and {fixed} in fixed costs.",
        ),
        "test": (
            "Losses are expected to cost {loss_a} a policy in class A, {loss_b} in B and {loss_c} in C, and administration {fixed} "
            "in each. Commission and taxes take {variable} % of the price, and {profit} % of it is meant to remain as profit.",
        ),
    },
    "rate change": {
        "train": (
            "On-level premium and trended ultimate losses in millions: coverage A {premium_a} and {loss_a}, coverage B "
            "{premium_b} and {loss_b}. The permissible loss ratio is {permissible} %.",
            "Permissible loss ratio: {permissible} %. Coverage A: losses {loss_a}, premium {premium_a}. Coverage B: losses "
            "{loss_b}, premium {premium_b} (millions, on current level and trended).",
        ),
        "validation": (
            "At current rates A would earn {premium_a} million against losses of {loss_a}, B {premium_b} against {loss_b}; "
            "{permissible} % of premium may go to losses.",
        ),
        "test": (
            "Restated to today's rates and next year's costs, A has premiums of {premium_a} million and losses of {loss_a}, "
            "B {premium_b} and {loss_b}. Rates are adequate if losses take {permissible} % of premium.",
        ),
    },
    "trend": {
        "train": (
            "Average claims of accidents in {year}: coverage A {claim_a}, B {claim_b}, C {claim_c}. They grow by {trend_a}, "
            "{trend_b} and {trend_c} % a year. Annual policies are written evenly over each year.",
            "Accident year {year}, on average at mid-year: A {claim_a} a claim with a trend of {trend_a} % a year, B {claim_b} with "
            "{trend_b} %, C {claim_c} with {trend_c} %. Policies run for a year and are sold evenly through the calendar year.",
        ),
        "validation": (
            "In {year} accidents cost {claim_a} (A), {claim_b} (B) and {claim_c} (C) on average, rising {trend_a}, {trend_b} and "
            "{trend_c} % a year. One-year policies start evenly through each year.",
        ),
        "test": (
            "A claim from {year} cost {claim_a} under A, {claim_b} under B and {claim_c} under C; with each later year it "
            "gets dearer by {trend_a}, {trend_b} and {trend_c} %. New one-year policies begin at an even pace from January to December.",
        ),
    },
}
ASKS: dict[str, Wording] = {
    "relativities": {
        "petrol": {
            "train": ("What is the premium of a petrol car in the {subject} without the credit?",),
            "validation": ("Premium of a petrol car, {subject}, without credit?",),
            "test": ("What does a driver who had claims pay for a petrol car in the {subject}?",),
        },
        "diesel": {
            "train": ("What is the premium of a diesel car in the {subject} without the credit?",),
            "validation": ("Premium of a diesel car, {subject}, without credit?",),
            "test": ("What does a driver who had claims pay for a diesel car in the {subject}?",),
        },
        "claim-free petrol": {
            "train": ("What is the premium of a petrol car in the {subject} with a claim-free record?",),
            "validation": ("Premium of a claim-free driver's petrol car, {subject}?",),
            "test": ("What does a driver without claims pay for a petrol car in the {subject}?",),
        },
    },
    "earned premium": {
        "earned": {
            "train": ("How much of {subject}'s premium is earned?", "What is the earned premium of policy {subject}?"),
            "validation": ("Give {subject}'s earned premium to date.",),
            "test": ("What part of {subject}'s premium belongs to the insurer for time that has passed?",),
        },
        "unearned": {
            "train": (
                "How much of {subject}'s premium is unearned?",
                "What is the unearned premium of policy {subject}?",
            ),
            "validation": ("Give {subject}'s unearned premium to date.",),
            "test": ("What part of {subject}'s premium is for cover still to come?",),
        },
        "refund": {
            "train": (
                "What is refunded if policy {subject} is cancelled now?",
                "What does {subject} get back on cancelling now?",
            ),
            "validation": ("Give {subject}'s refund on cancellation today.",),
            "test": ("What does the insurer pay back if {subject} leaves now?",),
        },
    },
    "credibility": {
        "weighted": {
            "train": ("What is the credibility-weighted average claim of {subject}?",),
            "validation": ("Give the credibility-weighted severity for {subject}.",),
            "test": ("Which average claim should be expected in {subject}?",),
        },
    },
    "deductible and limit": {
        "paid": {
            "train": ("What does the insurer pay under {subject}?",),
            "validation": ("Paid under {subject}?",),
            "test": ("How much does {subject} get from the insurer?",),
        },
        "borne": {
            "train": ("What does the insured bear under {subject}?",),
            "validation": ("Borne by the insured under {subject}?",),
            "test": ("How much of the loss stays with {subject}?",),
        },
    },
    "increased limits": {
        "250": {
            "train": ("What is the increased limits factor of line {subject} at 250?",),
            "validation": ("ILF of {subject} for a limit of 250?",),
            "test": ("By what must the basic premium of {subject} be multiplied for a limit of 250?",),
        },
        "500": {
            "train": ("What is the increased limits factor of line {subject} at 500?",),
            "validation": ("ILF of {subject} for a limit of 500?",),
            "test": ("By what must the basic premium of {subject} be multiplied for a limit of 500?",),
        },
    },
    "gross premium": {
        "premium": {
            "train": ("What is the indicated premium of class {subject}?",),
            "validation": ("Indicated premium of {subject}?",),
            "test": ("Which price of {subject} covers all of this?",),
        },
        "no profit": {
            "train": ("What is the indicated premium of class {subject} without a profit provision?",),
            "validation": ("Indicated premium of {subject} at zero profit?",),
            "test": ("Which price of {subject} covers losses and all costs but leaves no profit?",),
        },
        "no fixed": {
            "train": (
                "What is the indicated premium of class {subject} if fixed expenses are charged as a separate fee?",
            ),
            "validation": ("Indicated premium of {subject} with the fixed expense left to a separate fee?",),
            "test": ("Which price of {subject} is needed if customers pay for administration separately?",),
        },
    },
    "rate change": {
        "indicated": {
            "train": ("What rate change is indicated for {subject}?",),
            "validation": ("Indicated change of rates for {subject}?",),
            "test": ("By how much must rates rise for {subject}?",),
        },
    },
    "trend": {
        "0": {
            "train": ("To what average claim should policies of {policy} be rated under coverage {subject}?",),
            "validation": ("Trended average claim of {subject} for policy year {policy}?",),
            "test": ("What will a claim under {subject} cost on average if the policies are sold in {policy}?",),
        },
    },
}
ASKS["trend"] |= {"1": ASKS["trend"]["0"], "2": ASKS["trend"]["0"]}
BOTH = {
    "credibility": {
        "train": "both classes pooled into one",
        "validation": "both, pooled",
        "test": "A and B put together as one class",
    },
    "rate change": {
        "train": "both coverages together",
        "validation": "both as a whole",
        "test": "A and B if they get the same change",
    },
}


def subject(family: str, name: str, split: str) -> str:
    """Return the name of a subject as it stands in a question."""
    if name == "both":
        return BOTH[family][split]
    return NAMES.get(family, {}).get(name, name.upper())

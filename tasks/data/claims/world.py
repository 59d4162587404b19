"""The world of policies and claims: four lines of insurance with causes of loss, their possible items, and papers.

No word is part of another word of its line, so that a reader (or a test) can identify them in a text.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One line of insurance. `causes` maps each cause to the items it plausibly hits; limits in USD."""

    name: str
    prefix: str
    causes: dict[str, tuple[str, ...]]
    papers: tuple[str, ...]
    limits: tuple[int, ...]

    @property
    def items(self) -> tuple[str, ...]:
        """Return every item of the line, in a fixed order."""
        return tuple(sorted({item for items in self.causes.values() for item in items}))


MOTOR = Line(
    name="motor",
    prefix="M",
    causes={
        "collision": ("bumper", "door", "headlamp", "mirror", "wheel", "bonnet"),
        "theft": ("radio", "wheel", "mirror", "bike rack", "child seat"),
        "hail": ("roof", "bonnet", "windscreen", "bike rack"),
        "fire": ("engine", "child seat", "radio", "bonnet"),
        "flood": ("engine", "radio", "child seat", "headlamp"),
        "vandalism": ("mirror", "door", "windscreen", "bike rack"),
        "storm": ("roof", "windscreen", "bike rack", "bonnet"),
        "animal hit": ("bumper", "headlamp", "bonnet", "windscreen"),
        "falling tree": ("roof", "bonnet", "windscreen", "mirror"),
        "racing": ("engine", "wheel", "bumper", "door"),
        "off-road use": ("wheel", "bumper", "engine", "headlamp"),
        "riot": ("windscreen", "door", "mirror", "roof"),
    },
    papers=("police report", "photos", "invoice", "estimate", "licence", "witness note"),
    limits=(4000, 5000, 6000, 7500, 8000, 9000, 12000, 15000),
)

HOME = Line(
    name="home",
    prefix="H",
    causes={
        "fire": ("kitchen", "carpet", "sofa", "roof", "shed"),
        "flood": ("carpet", "sofa", "boiler", "kitchen", "shed"),
        "theft": ("jewellery", "bicycle", "laptop", "painting"),
        "burst pipe": ("carpet", "kitchen", "boiler", "painting"),
        "storm": ("roof", "fence", "window", "shed"),
        "hail": ("roof", "window", "shed", "bicycle"),
        "lightning": ("laptop", "boiler", "roof", "shed"),
        "earthquake": ("kitchen", "window", "roof", "painting"),
        "vandalism": ("fence", "window", "bicycle", "shed"),
        "frost": ("boiler", "fence", "roof", "window"),
        "mould": ("carpet", "sofa", "painting", "kitchen"),
        "power surge": ("laptop", "boiler", "kitchen"),
    },
    papers=("police report", "photos", "invoice", "receipt", "estimate", "inventory"),
    limits=(5000, 6000, 8000, 10000, 12000, 15000, 18000, 20000),
)

TRAVEL = Line(
    name="travel",
    prefix="T",
    causes={
        "illness": ("hospital bill", "medicine", "hotel", "air ticket"),
        "theft": ("camera", "phone", "suitcase", "jewellery"),
        "delay": ("hotel", "air ticket", "rail pass", "suitcase"),
        "cancellation": ("hotel", "air ticket", "rail pass", "tour"),
        "injury": ("hospital bill", "medicine", "tour", "air ticket"),
        "skiing": ("hospital bill", "medicine", "camera", "phone"),
        "diving": ("hospital bill", "camera", "phone", "tour"),
        "strike": ("air ticket", "rail pass", "hotel", "tour"),
        "storm": ("air ticket", "hotel", "tour", "suitcase"),
        "riot": ("hotel", "tour", "suitcase", "jewellery"),
        "climbing": ("hospital bill", "medicine", "phone", "camera"),
        "baggage mishap": ("suitcase", "camera", "jewellery", "rail pass"),
    },
    papers=("police report", "receipt", "booking", "doctor note", "airline letter", "invoice"),
    limits=(2000, 2500, 3000, 4000, 5000, 6000, 7500, 8000),
)

HEALTH = Line(
    name="health",
    prefix="C",
    causes={
        "fracture": ("surgery", "scan", "physiotherapy", "hospital stay", "ambulance"),
        "sprain": ("physiotherapy", "scan", "massage", "consultation"),
        "migraine": ("scan", "medicine", "consultation", "massage"),
        "asthma": ("medicine", "consultation", "ambulance", "hospital stay"),
        "pregnancy": ("hospital stay", "scan", "consultation", "blood test"),
        "allergy": ("blood test", "medicine", "consultation", "ambulance"),
        "cataract": ("surgery", "glasses", "consultation", "scan"),
        "burn": ("hospital stay", "surgery", "medicine", "ambulance"),
        "back pain": ("massage", "physiotherapy", "scan", "consultation"),
        "infection": ("blood test", "medicine", "hospital stay", "surgery"),
        "deafness": ("hearing aid", "consultation", "surgery", "scan"),
        "short sight": ("glasses", "surgery", "consultation", "scan"),
    },
    papers=("invoice", "doctor note", "prescription", "receipt", "lab report", "hospital letter"),
    limits=(2000, 3000, 4000, 5000, 6000, 8000, 10000, 12000),
)

LINES = (MOTOR, HOME, TRAVEL, HEALTH)

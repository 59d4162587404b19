"""The world of policies and claims: four lines of insurance with causes of loss, their possible items, and papers.

No word is part of another word of its line, so that a reader (or a test) can identify them in a text.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A line of insurance. `causes` maps each cause to the items it plausibly hits, `prices` each item to the range of what
    repair, replacement or treatment costs; prices and limits in USD."""

    name: str
    prefix: str
    causes: dict[str, tuple[str, ...]]
    prices: dict[str, tuple[int, int]]
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
    prices={
        "bumper": (250, 1800),
        "door": (350, 2400),
        "headlamp": (150, 1500),
        "mirror": (90, 700),
        "wheel": (150, 1400),
        "bonnet": (300, 2200),
        "radio": (120, 1200),
        "bike rack": (100, 800),
        "child seat": (80, 500),
        "roof": (500, 3800),
        "windscreen": (200, 1600),
        "engine": (1200, 8500),
    },
    papers=("police report", "photos", "invoice", "estimate", "licence", "witness note"),
    limits=(1000, 1500, 2000, 2500, 3000, 4000, 5000, 6000),
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
    prices={
        "kitchen": (900, 14000),
        "carpet": (150, 2600),
        "sofa": (250, 3200),
        "roof": (700, 16000),
        "shed": (300, 3800),
        "boiler": (350, 4200),
        "jewellery": (200, 7500),
        "bicycle": (150, 3200),
        "laptop": (300, 2600),
        "painting": (250, 8000),
        "fence": (200, 2800),
        "window": (150, 2200),
    },
    papers=("police report", "photos", "invoice", "receipt", "estimate", "inventory"),
    limits=(1500, 2000, 2500, 3000, 4000, 5000, 7500, 10000),
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
    prices={
        "hospital bill": (300, 9000),
        "medicine": (40, 450),
        "hotel": (150, 2400),
        "air ticket": (120, 2200),
        "camera": (150, 2400),
        "phone": (150, 1400),
        "suitcase": (80, 900),
        "jewellery": (150, 3500),
        "rail pass": (60, 700),
        "tour": (150, 3800),
    },
    papers=("police report", "receipt", "booking", "doctor note", "airline letter", "invoice"),
    limits=(750, 1000, 1250, 1500, 2000, 2500, 3000, 4000),
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
    prices={
        "surgery": (900, 14000),
        "scan": (200, 2200),
        "physiotherapy": (150, 1600),
        "hospital stay": (800, 12000),
        "ambulance": (200, 1500),
        "massage": (60, 600),
        "consultation": (60, 450),
        "medicine": (40, 900),
        "blood test": (50, 500),
        "glasses": (120, 900),
        "hearing aid": (500, 4200),
    },
    papers=("invoice", "doctor note", "prescription", "receipt", "lab report", "hospital letter"),
    limits=(750, 1000, 1500, 2000, 3000, 4000, 5000, 8000),
)

LINES = (MOTOR, HOME, TRAVEL, HEALTH)

"""The simulated US policyholders of two tasks. Not a task itself."""

from harness import Source, published

FILES: published.Files = {"test": ("insurance.csv",)}
SOURCE = Source(
    uri="github:stedy/Machine-Learning-with-R-datasets",
    revision="ff933238d9c30da179b7e3ad4b6ca938d67efc53",
    license="public domain (README)",
    citation="B. Lantz, Machine Learning with R, Packt",
    files=published.patterns(FILES),
    folder="medical_insurance_charges",
)

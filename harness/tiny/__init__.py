"""The embedded base model `tiny`: its weights and tokenizer, and the scripts that produce them.

    python -m harness.tiny.tokenizer                     writes model/tokenizer.json
    python -m harness.tiny.pretrain --steps 8500         trains (and resumes) the model, writes model/
    python -m harness.tiny.further                       trains it to conclude and to gauge, writes model/
    python -m harness.tiny.suite --write                 scores it on held-out general skills
    python -m harness.tiny.card                          writes model/README.md from the measurements

`words.txt` lists plain English words. `skills.py`, its imports, `consequences.py` and `gauge.py` generate the text,
`circuit.py` the start of the weights. `model/` is the folder of `--model tiny`. The harness imports only its questions and uses its folder.
"""

"""One base model and many adapters over HTTP.

`model` computes, `engine` gathers requests into batches, `service` and `http` speak the protocol; nothing here writes results.
"""

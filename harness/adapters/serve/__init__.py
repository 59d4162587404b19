"""One base model and many adapters over HTTP.

`model` computes, `engine` gathers requests into batches, `service`, `http` and `stream` speak the protocol, `server` runs them on
uvicorn (the extra `serve`); nothing here writes results.
"""

"""Serves one base model with many adapters over HTTP.

`model` computes, `engine` forms batches of requests, `service`, `http` and `stream` implement the protocol, and `server`
runs them on uvicorn (the extra `serve`). No module here writes results.
"""

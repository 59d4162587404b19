"""One base model and many adapters over HTTP: `shared_base` computes, `engine` gathers batches, `answering` and `http_server` talk."""

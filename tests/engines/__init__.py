"""Tests of requests to a server in OpenAI's form."""

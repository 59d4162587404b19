"""Refused requests: the HTTP status, and OpenAI's error object."""

from __future__ import annotations

from typing import Any

MODEL_NOT_FOUND, NOT_SERVED, TOO_LONG = "model_not_found", "adapter_not_served", "context_length_exceeded"
KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Refusal(Exception):
    """A refused request: the HTTP status and the content of OpenAI's error object."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param

    def body(self) -> dict[str, Any]:
        """Return the JSON of the error."""
        kind = "server_error" if self.status >= 500 else KINDS.get(self.status, "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

"""A load of many connections on a server: every answer is compared, and some clients leave before theirs."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Answers = Mapping[tuple[str, str], str]  # what a model alone answers, by model and prompt
PATH = "/v1/completions"


@dataclass(frozen=True)
class Job:
    """One request: to a model, streamed or whole; its client leaves after so many seconds (None: stays)."""

    model: str
    prompt: str
    max_tokens: int
    stream: bool
    patience: float | None


@dataclass
class Outcome:
    """What became of the requests of a load; seconds are those of the clients that stayed."""

    right: int = 0
    left: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Return the time within which this share of the answers came."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def jobs(
    answers: Answers, count: int, *, leavers: float, seed: int, max_tokens: int, patience: float = 0.05
) -> list[Job]:
    """Return mixed requests; a share of clients leaves at a time drawn up to `patience` seconds, exactly that many."""
    chance = random.Random(seed)
    pairs, leaving = list(answers), set(chance.sample(range(count), round(leavers * count)))
    return [
        Job(
            *chance.choice(pairs),
            max_tokens=max_tokens,
            stream=chance.random() < 0.25,
            patience=chance.uniform(0, patience) if number in leaving else None,
        )
        for number in range(count)
    ]


async def run(port: int, work: Sequence[Job], connections: int, answers: Answers) -> Outcome:
    """Send all requests over so many connections at a time; those that stay are used again."""
    waiting, outcome = list(reversed(work)), Outcome()

    async def client() -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while waiting:
            job = waiting.pop()
            connection = connection or await asyncio.open_connection("127.0.0.1", port)
            start = time.perf_counter()
            try:
                async with asyncio.timeout(job.patience):
                    status, text = await _answer(*connection, job)
            except TimeoutError:
                outcome.left += 1
                connection[1].close()
                connection = None
                continue
            except (OSError, EOFError, ValueError) as error:
                outcome.lost.append(f"{job.model}: {type(error).__name__} {error}")
                connection[1].close()
                connection = None
                continue
            if job.patience is None:
                outcome.seconds.append(time.perf_counter() - start)
            if status != 200:
                outcome.lost.append(f"{job.model}: {status} {text[:200]}")
            elif text != answers[job.model, job.prompt]:
                outcome.wrong.append(f"{job.model}: {text!r}, not {answers[job.model, job.prompt]!r}")
            else:
                outcome.right += 1
        if connection:
            connection[1].close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return outcome


async def alone(
    port: int, models: Sequence[str], prompts: Sequence[str], max_tokens: int
) -> dict[tuple[str, str], str]:
    """Return what each model answers to each prompt, one request at a time."""
    found = {}
    for model in models:
        for prompt in prompts:
            connection = await asyncio.open_connection("127.0.0.1", port)
            status, text = await _answer(*connection, Job(model, prompt, max_tokens, stream=False, patience=None))
            assert status == 200, text
            found[model, prompt] = text
            connection[1].close()
    return found


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, job: Job) -> tuple[int, str]:
    """Return status and text of an answer, or the body of an error."""
    fields = {"model": job.model, "prompt": job.prompt, "max_tokens": job.max_tokens, "stream": job.stream}
    body = json.dumps(fields | {"temperature": 0}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    status, headers = await _head(reader)
    content = await _body(reader, headers)
    if status != 200:
        return status, content.decode()
    if not job.stream:
        return status, str(json.loads(content)["choices"][0]["text"])
    events = [line.removeprefix("data: ") for line in content.decode().split("\n\n") if line]
    if events[-1] != "[DONE]":
        return 500, events[-1]
    parts: list[Any] = [json.loads(event) for event in events[:-1]]
    return status, "".join(part["choices"][0]["text"] for part in parts)


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines[1:] if line)
    return int(lines[0].split()[1]), {name.lower(): value for name, value in pairs}


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers["content-length"]))
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(parts)

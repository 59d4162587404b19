"""The rendering of chat templates: the text of a chat up to the model's answer, or a whole exchange.

Templates expect a message's content as a text or as a list of parts, accept a system's message, refuse it or need it, and
some lose the question without a word. The first form in which a rendered prompt contains the question is used.
"""

from __future__ import annotations

import contextlib
import datetime
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError, one_line
from harness.metrics import thoughts
from harness.model.chat import settings

QUESTION, ANSWER = "question-text", "answer-text"
SECONDS = 10.0  # of the processor, for a template that takes milliseconds if it ends
WHERE, FIX = "the chat template of the model", "correct the template, or remove it to use plain prompts"
MOST_CHARACTERS = 1_000_000  # of a template's own text
REPEATS = 8  # of a trial, which chance would change

Message = Mapping[str, str]


@dataclass(frozen=True)
class Form:
    """The form in which a template takes messages: content as parts, and a system's message in front even if it is empty."""

    parts: bool = False
    system: bool = False


FORMS = (Form(), Form(parts=True), Form(system=True), Form(parts=True, system=True))


class Chat:
    """A tokenizer's chat template with the variables of a run.

    Attributes:
        thinks: whether the model is to think before it answers.
        tokenizer: the tokenizer, which renders it.
        text: the template.
        turn: the assistant's turn, as soon as `chat_turn` has read it.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        args = getattr(tokenizer, "template_args", None)
        self.text = _choose(tokenizer, settings.values(args or ()).get(settings.NAME, ""))
        if args is None:
            names = settings.variables(self.text)
            args = tuple(f"{switch}=false" for switch in thoughts.SWITCHES if switch in names)
        self.thinks = thoughts.allowed(args)
        self._values = {name: value for name, value in settings.values(args).items() if name != settings.NAME}
        self.turn: Any = None
        self._form: Form | None = None
        self._takes_system: bool | None = None

    def prompt(self, messages: Sequence[Message]) -> str:
        """Return the text of a chat up to the model's answer.

        If the template opens the model's thoughts there, and the model is not to think, the text ends before that.

        Raises:
            HarnessError: the template fails, does not end, or loses a user's message.
        """
        text = self._render(self._accepted(messages), self.form, prompt=True)
        if lost := next(
            (m["content"] for m in messages if m["role"] == "user" and not _holds(text, m["content"])), None
        ):
            problem = f"the chat template loses the question: the prompt that it renders does not contain '{lost[:60]}'"
            raise HarnessError(problem, where=WHERE, fix=FIX)
        return text if self.thinks else _without_open_thought(text)

    def exchange(self, question: str, answer: str) -> str:
        """Return the text of a question and its answer; errors as `prompt`."""
        messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return self._render(messages, self.form, prompt=False)

    @property
    def form(self) -> Form:
        """The first form in which a prompt contains the question.

        Raises:
            HarnessError: there is none, or the template does not end.
        """
        if self._form is None:
            self._form = self._find_form()
        return self._form

    def _find_form(self) -> Form:
        failure: Exception | None = None
        trial = [{"role": "user", "content": QUESTION}]
        for form in FORMS:
            try:
                text = self._render(trial, form, prompt=True)
                if QUESTION in text and "'type':" not in text:  # else it prints the list of parts itself
                    self._refuse_chance(text, trial, form)
                    return form
            except _Unusable:
                raise
            except HarnessError as error:
                failure = failure or error
        if failure:
            raise failure
        problem = "the chat template loses the question: the prompt that it renders does not contain it"
        raise HarnessError(problem, where=WHERE, fix=FIX)

    def _refuse_chance(self, text: str, trial: Sequence[Message], form: Form) -> None:
        problem = ""
        if len(text) > MOST_CHARACTERS:
            problem = (
                f"the chat template writes {len(text):,} characters around a question, at most {MOST_CHARACTERS:,} fit"
            )
        elif any(self._render(trial, form, prompt=True) != text for _ in range(REPEATS)):
            problem = "the chat template renders the same question differently each time"
        if problem:
            raise _Unusable(problem, where=WHERE, fix=FIX)

    def _accepted(self, messages: Sequence[Message]) -> list[Message]:
        """Return the messages, with a system's text in front of the user's if the template refuses or loses it."""
        if not any(message["role"] == "system" for message in messages):
            return list(messages)
        if self._takes_system is None:
            trial = [{"role": "system", "content": ANSWER}, {"role": "user", "content": QUESTION}]
            try:
                text = self._render(trial, self.form, prompt=True)
                self._takes_system = ANSWER in text and QUESTION in text
            except HarnessError:
                self._takes_system = False
        return list(messages) if self._takes_system else _without_system(messages)

    def _render(self, messages: Sequence[Message], form: Form, *, prompt: bool) -> str:
        chat: list[dict[str, Any]] = [dict(message) for message in messages]
        if form.parts:
            chat = [message | {"content": [{"type": "text", "text": message["content"]}]} for message in chat]
        if form.system and chat[0]["role"] != "system":
            chat.insert(0, {"role": "system", "content": [{"type": "text", "text": ""}] if form.parts else ""})
        try:
            with _time_limit():
                _fix_date(self.text)
                return str(
                    self.tokenizer.apply_chat_template(
                        chat,
                        chat_template=self.text,
                        add_generation_prompt=prompt,
                        tokenize=False,
                        **self._values,
                    )
                )
        except HarnessError:
            raise
        except Exception as error:  # a template is somebody else's program, and fails in any way
            problem = f"the chat template fails: {type(error).__name__}: {one_line(error)}"
            raise HarnessError(problem, where=WHERE, fix=FIX) from error


class _Unusable(HarnessError):
    """The error of a template that no other form of messages mends."""


def chat_of(tokenizer: Any) -> Chat | None:
    """Return the chat template of a tokenizer with its settings, None if it has none; made once for each template."""
    template = getattr(tokenizer, "chat_template", None)
    if not template:
        return None
    key = (repr(template), getattr(tokenizer, "template_args", None))
    pair = getattr(tokenizer, "_chat_of_template", None)
    if pair is None or pair[0] != key or pair[1].tokenizer is not tokenizer:
        pair = tokenizer._chat_of_template = key, Chat(tokenizer)
    chat: Chat = pair[1]
    return chat


def _choose(tokenizer: Any, name: str) -> str:
    """Return the template of this name; without a name the default, or the only one.

    Raises:
        HarnessError: there are several and none is the default, or none has the name.
    """
    texts = tokenizer.chat_template
    if not isinstance(texts, dict):
        return str(texts)
    if len(texts) == 1 and not name:
        return str(next(iter(texts.values())))
    if (name or "default") not in texts:
        names = ", ".join(sorted(texts))
        problem = (
            f"no chat template is named '{name}'" if name else f"none of the chat templates {names} is the default"
        )
        fix = f"{settings.FLAG} {settings.NAME}={min(texts)}"
        raise HarnessError(problem, where=WHERE, fix=fix)
    return str(texts[name or "default"])


def _fix_date(template: str) -> None:
    """Let a template print the same date on every day.

    The library gives templates a function for the clock, in the environment of their compilation. Arguments cannot replace it,
    because the library passes only plain data on.
    """
    if settings.CLOCK not in template:
        return
    from transformers.utils import chat_template_utils

    day = datetime.datetime.fromisoformat(settings.DATE)
    compiled = chat_template_utils._compile_jinja_template(template)
    compiled.environment.globals[settings.CLOCK] = day.strftime


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """A context that ends a template after some seconds of the processor; in other threads than the first without effect."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        problem = f"the chat template does not end: it ran for {SECONDS:g} seconds"
        raise _Unusable(problem, where=WHERE, fix=FIX)

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _holds(text: str, question: str) -> bool:
    """Return whether a rendered text contains a question, but for blanks that templates trim or join."""
    return question.strip() in text or " ".join(question.split()) in " ".join(text.split())


def _without_system(messages: Sequence[Message]) -> list[Message]:
    text = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
    rest = [message for message in messages if message["role"] != "system"]
    first = next((number for number, message in enumerate(rest) if message["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": text}, *rest]
    rest[first] = {"role": "user", "content": f"{text}\n\n{rest[first]['content']}"}
    return rest


def _without_open_thought(text: str) -> str:
    mark = open_thought(text)
    return text.rstrip().removesuffix(mark) if mark else text


def open_thought(text: str) -> str:
    """Return the mark that begins a thought at the end of a text, empty if there is none."""
    return next((mark for mark in thoughts.MARKS if text.rstrip().endswith(mark)), "")

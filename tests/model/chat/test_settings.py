"""The variables and the date of a chat template are settings of a run: in its id, in the header, in the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import app, next_command
from harness.cli import settings as cli_settings
from harness.cli.terminal import plan_output
from harness.errors import HarnessError
from harness.model.chat import settings
from harness.model.loading import tokenizer_of
from harness.record import RunSpec
from harness.runs import plan
from harness.runs.plan import Plan
from tests.support.records import make_spec
from tests.support.shared_cases import case
from tests.support.tiny_models import toy_folder

THINKS = (
    "{% for m in messages %}<q>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<a>"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
DATED = "{{ strftime_now('%Y-%m-%d') }}{% if budget %} {{ budget }}{% endif %}{% for m in messages %}<q>{{ m.content }}{% endfor %}<a>"


def folder_of(tmp_path: Path, template: str = "") -> Path:
    folder = toy_folder(tmp_path / "toy")
    if template:
        (folder / "chat_template.jinja").write_text(template)
    return folder


def planned(folder: Path, *words: str) -> Plan:
    command = ["--task", "cfa", "--model", str(folder), "--method", "base", "--no-memory", "--test-examples", "20"]
    results = ["--results", str(folder.parent / "results")]
    return plan.make(cli_settings.run_options(app.read("run", [*command, *results, *words])))[0]


def spec_of(folder: Path, *words: str) -> RunSpec:
    return planned(folder, *words).specs[0]


def test_thinking_is_off_and_stated_if_the_template_has_the_switch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path, THINKS)
    spec = spec_of(folder)
    assert spec.template_args == ("enable_thinking=false",)
    assert spec.id == spec_of(folder, "--template-args", "enable_thinking=False").id
    plan_output.header(planned(folder))
    assert "template" in (text := capsys.readouterr().out)
    assert "enable_thinking=false" in text


def test_thinking_by_the_flag_is_another_run_with_room_for_thoughts_and_for_written_answers_only(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path, THINKS)
    on = ("--template-args", "enable_thinking=true")
    with pytest.raises(HarnessError, match="options are scored right behind the prompt"):
        spec_of(folder, *on)
    written, thinking = (spec_of(folder, "--scoring", "generate", *words) for words in ((), on))
    assert thinking.template_args == ("enable_thinking=true",)
    assert written.id != thinking.id
    assert thinking.max_new_tokens > written.max_new_tokens
    assert [word for word in next_command.rebuild(thinking) if "template" in word or "thinking" in word] == [
        "--template-args",
        "enable_thinking=true",
    ]


def test_a_template_without_settings_and_no_template_leave_the_ids_as_they_were(tmp_path: Path) -> None:
    plain = spec_of(folder_of(tmp_path))
    assert (plain.template_args, plain.template_date) == ((), "")
    assert not {"template_args", "template_date"} & plain.fields().keys()
    assert make_spec().id != replace(make_spec(), template_args=("a=1",)).id


def test_the_date_that_a_template_prints_is_in_the_spec(tmp_path: Path) -> None:
    spec = spec_of(folder_of(tmp_path, DATED))
    assert spec.template_date == settings.DATE
    tokenizer = tokenizer_of(tmp_path / "toy", spec)
    text = tokenizer.decode(tokenizer_ids(tokenizer))
    assert text.startswith(f"{settings.DATE}<q>")


def tokenizer_ids(tokenizer: object) -> list[int]:
    from harness.model import tokenize

    return tokenize.encode_pair(tokenizer, "Is hail covered?", "yes")[0]


def test_the_tokenizer_of_a_run_renders_with_its_variables(tmp_path: Path) -> None:
    spec = spec_of(folder_of(tmp_path, DATED), "--template-args", "budget=12")
    tokenizer = tokenizer_of(tmp_path / "toy", spec)
    assert tokenizer.decode(tokenizer_ids(tokenizer)).startswith(f"{settings.DATE} 12<q>")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("enable_thinkin=false", "no variable 'enable_thinkin'"),
        ("messages=x", "no variable 'messages'"),
        ("strftime_now=x", "no variable 'strftime_now'"),
        ("chat_template=rag", "no chat template 'rag'"),
        ("enable_thinking", "not of the form name=value"),
        ("{broken", "not a JSON object"),
        ("enable_thinking=true,enable_thinking=false", "two values"),
    ],
)
def test_a_variable_that_the_template_does_not_have_is_refused(tmp_path: Path, typed: str, words: str) -> None:
    with pytest.raises(HarnessError, match=words):
        spec_of(folder_of(tmp_path, THINKS), "--template-args", typed)


def test_variables_of_a_model_without_a_template_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no chat template"):
        spec_of(folder_of(tmp_path), "--template-args", "enable_thinking=false")


def test_values_are_json_or_text_and_may_have_commas(tmp_path: Path) -> None:
    read = app.read(
        "run", ["--task", "cfa", "--template-args", "a=1,b=x,y", "--template-args", '{"c": [1, 2], "d": "z"}']
    )
    assert read.template_args == ("a=1", "b=x,y", "c=[1, 2]", "d=z")
    assert settings.values(read.template_args) == {"a": 1, "b": "x,y", "c": [1, 2], "d": "z"}


def test_of_several_templates_the_variables_are_those_of_the_one_that_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    path = folder / "tokenizer_config.json"
    pairs = [{"name": "default", "template": "{{ messages[0].content }}"}, {"name": "slow", "template": THINKS}]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": pairs}))
    assert spec_of(folder).template_args == ()
    named = spec_of(folder, "--template-args", "chat_template=slow")
    assert named.template_args == ("chat_template=slow", "enable_thinking=false")
    tokenizer = tokenizer_of(folder, named)
    assert "<think>" in tokenizer.decode(tokenizer_ids(tokenizer))
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "fast.jinja").write_text(DATED)
    assert settings.templates(folder) == {"fast": DATED}


@pytest.mark.parametrize("name", ["template-that-thinks", "template-with-the-date"])
def test_the_shared_cases_are_in_the_spec(tmp_path: Path, name: str) -> None:
    spec = spec_of(folder_of(tmp_path, (case(name) / "chat_template.jinja").read_text()))
    assert spec.serving in (("enable_thinking=false",), (f"date {settings.DATE}",))

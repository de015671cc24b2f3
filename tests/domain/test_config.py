"""drawbridge.yaml is read whole, and refused with every problem in words and its line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.config import MOST_PROBLEMS, Config, read_config
from domain.errors import Invalid

EXAMPLE = Path(__file__).parents[2] / "docs" / "drawbridge.example.yaml"

SMALL = """\
version: 1
target: {promptflow: flows/chat}
evaluation:
  columns: {question: "${data.question}"}
  evaluators:
    f1: {use: evaluators.exact:score, columns: {response: "${target.answer}"}}
  minimal: {data: data/minimal.jsonl, gates: ["f1 >= 0.45"]}
  full: {data: data/full.jsonl, gates: ["f1 drop <= 0.05"]}
environments:
  - {name: dev}
validate: {sample: data/sample.jsonl}
"""


def changed(old: str, new: str) -> str:
    """The small file with one thing changed."""
    assert SMALL.count(old) == 1
    return SMALL.replace(old, new)


def refusal(text: str) -> str:
    """What the person who wrote the file is told."""
    with pytest.raises(Invalid) as caught:
        read_config(text)
    return str(caught.value)


def test_example_in_the_docs_loads():
    """The documented example cannot rot."""
    config = read_config(EXAMPLE.read_text())

    assert [environment.name for environment in config.environments] == ["dev", "nonprod", "prod"]
    assert config.validation.commands == ["ruff check .", "pytest -q"]
    assert config.evaluation.full.gates == ["f1 >= 0.45", "f1 drop <= 0.05"]


def test_what_is_left_out_has_its_default():
    """A file of eleven lines is enough."""
    config = read_config(SMALL)

    assert (config.branches.develop, config.branches.main) == ("develop", "main")
    assert (config.validation.commands, config.validation.sample) == ([], "data/sample.jsonl")
    assert (config.evaluation.concurrency, config.evaluation.row_timeout) == (8, 120)
    assert (config.opt_out.label, config.opt_out.expires_after) == ("skip-e2e-evaluation", 604800)
    assert (config.environments[0].expires_after, config.environments[0].watch) == (259200, 300)
    assert (config.schedule.mode, config.schedule.nightly) == ("continuous", False)


def test_values_in_the_example_are_the_defaults_it_claims():
    """Every value of the example that it does not mark otherwise is what leaving it out would give."""
    shown, plain = read_config(EXAMPLE.read_text()), read_config(SMALL)

    assert shown.branches == plain.branches
    assert shown.schedule == plain.schedule
    for key in ("concurrency", "workers", "row_timeout", "retries", "seed"):
        assert getattr(shown.evaluation, key) == getattr(plain.evaluation, key)
    assert shown.environments[2].watch == plain.environments[0].watch


def test_wire_form_comes_back_the_same():
    """Activities and workers get plain JSON and rebuild the same config."""
    config = read_config(EXAMPLE.read_text())
    wire = json.loads(json.dumps(config.model_dump(mode="json", by_alias=True)))

    assert wire["validate"]["sample"] == "data/sample.jsonl"
    assert Config.model_validate(wire) == config


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("36h", 129600), ("3d", 259200), ("0s", 0), ("45", 45)]
)
def test_durations_are_seconds(text, seconds):
    """Units are written out in the file and gone after it."""
    config = read_config(changed("{name: dev}", f"{{name: dev, watch: {text}}}"))

    assert config.environments[0].watch == seconds


@pytest.mark.parametrize("text", ["5 minutes", "1.5h", "-3d", "3w", "true", "400d", '""', "1h30m", "٣d"])
def test_other_durations_are_refused(text):
    """The message shows what a duration looks like."""
    message = refusal(changed("{name: dev}", f"{{name: dev, watch: {text}}}"))

    assert message.startswith("drawbridge.yaml:10: environments.0.watch: is ")
    assert "expected a" in message


def test_reminder_comes_half_way():
    """Leaving remind_after out reminds at half of expires_after, whatever that is."""
    config = read_config(changed("{name: dev}", "{name: dev, expires_after: 10m}"))

    assert config.environments[0].remind_after == 300


def test_a_reminder_after_the_end_is_refused():
    """Nobody would ever get it."""
    message = refusal(changed("{name: dev}", "{name: dev, expires_after: 10m, remind_after: 10m}"))

    assert message == "drawbridge.yaml:10: environments.0.remind_after: is '10m'; expected a time before expires_after"


def test_every_problem_is_listed_with_its_line():
    """One look is enough to repair the file."""
    text = changed("version: 1", "version: 2").replace("flows/chat", "../chat").replace("{name: dev}", "{name: Dev}")
    message = refusal(text + "nightly: true\n")

    assert message.splitlines() == [
        "drawbridge.yaml:1: version: is 2; expected 1",
        "drawbridge.yaml:2: target.promptflow: is '../chat'; "
        'expected a path inside the repository, relative, with "/" and without ".."',
        "drawbridge.yaml:10: environments.0.name: is 'Dev'; "
        'expected a name of lower-case letters, digits and -, such as "nonprod"',
        "drawbridge.yaml:12: nightly: unknown key; expected one of: "
        "version, target, branches, validate, evaluation, merge, opt_out, override, environments, schedule",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("target:", "taget:", '2: taget: unknown key; did you mean "target"? expected one of: version, target,'),
        (
            "{name: dev}",
            "{name: dev, aprovals: 2}",
            '10: environments.0.aprovals: unknown key; did you mean "approvals"?',
        ),
        ("use:", "uses:", '6: evaluation.evaluators.f1.uses: unknown key; did you mean "use"?'),
        ("  full:", "  ful:", '8: evaluation.ful: unknown key; did you mean "full"?'),
    ],
)
def test_an_unknown_key_suggests_the_right_one(old, new, message):
    """At every depth: top level, list item, mapping by name, section."""
    assert f"drawbridge.yaml:{message}" in refusal(changed(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1\n", "", "1: version: is missing; expected the format of this file, 1"),
        (
            "{promptflow: flows/chat}",
            "{}",
            "2: target.promptflow: is missing; expected directory of the Prompt Flow flow",
        ),
        ("{promptflow: flows/chat}", "", "2: target: is empty; expected a mapping"),
        ("{promptflow: flows/chat}", "[flows/chat]", "2: target: this value cannot be used; expected a mapping"),
        ("flows/chat", "12", "2: target.promptflow: is 12; expected text"),
        ("flows/chat", "/flows/chat", "2: target.promptflow: is '/flows/chat'; expected a path inside the repository"),
        ("flows/chat", "flows/../../chat", "2: target.promptflow: is 'flows/../../chat'; expected a path inside"),
        ("flows/chat", "C:/chat", "2: target.promptflow: is 'C:/chat'; expected a path inside"),
        ("flows/chat", r"flows\chat", r"2: target.promptflow: is 'flows\\chat'; expected a path inside"),
        ("flows/chat", r'"a\0b"', r"2: target.promptflow: is 'a\x00b'; expected a path inside"),
        ("${data.question}", "data.question", "4: evaluation.columns.question: is 'data.question'; expected a column"),
        (
            "${data.question}",
            "${target.answer}",
            "4: evaluation.columns.question: is '${target.answer}'; expected a col",
        ),
        ("evaluators.exact:score", "F1", "6: evaluation.evaluators.f1.use: is 'F1'; expected a class"),
        (
            "evaluators.exact:score",
            "../eval/x",
            "6: evaluation.evaluators.f1.use: is '../eval/x'; expected a path inside",
        ),
        (
            "f1:",
            "errors:",
            "5: evaluation.evaluators: this value cannot be used; expected another name for the evaluator",
        ),
        ("f1 >= 0.45", "f1 => 0.45", "7: evaluation.minimal.gates.0: is 'f1 => 0.45'; expected a rule such as"),
        ("f1 >= 0.45", "errors <= 2", "7: evaluation.minimal.gates.0: is 'errors <= 2'; expected a limit from 0 to 1"),
        (
            "f1 >= 0.45",
            "fi >= 0.45",
            "7: evaluation.minimal: this value cannot be used; expected a metric of one of the",
        ),
        ('["f1 >= 0.45"]', "[]", "7: evaluation.minimal.gates: is empty; expected at least 1 item"),
        ("- {name: dev}", "[]", "9: environments: is empty; expected at least 1 item"),
        (
            "{name: dev}",
            "{name: dev, approvals: 2}",
            "environments.0.approvals: is 2; expected at least as many approvers",
        ),
        ("{name: dev}", "{name: dev, approvals: two}", "environments.0.approvals: is 'two'; expected a valid integer"),
        ("{name: dev}", "{name: dev, approvals: '1'}", "environments.0.approvals: is '1'; expected a valid integer"),
        ("{name: dev}", "{name: dev, approvers: [a b]}", "approvers.0: is 'a b'; expected a GitHub login \"@maria\""),
        ("{name: dev}", "{name: dev, approvers: [maria, '@Maria']}", "expected each approver once"),
        ("{name: dev}", "{name: dev}\n  - {name: dev}", "expected each environment once; dev stands here 2 times"),
        ("{name: dev}", "{name: dev, max_error_rate: 5}", "max_error_rate: is 5; expected less than or equal to 1"),
        ("{name: dev}", "{name: dev, max_latency_p95: .nan}", "max_latency_p95: is nan; expected a finite number"),
    ],
)
def test_a_bad_value_is_refused_with_what_was_expected(old, new, message):
    """Whatever is wrong, the person learns where it is and how it should look."""
    assert message in refusal(changed(old, new))


@pytest.mark.parametrize("command", ["'pytest -q", "  "])
def test_a_command_that_cannot_be_split_is_refused(command):
    """Commands run without a shell, so their quotes must balance."""
    assert "validate.commands.0" in refusal(changed("{sample:", f'{{commands: ["{command}"], sample:'))


def connected(line: str) -> str:
    return changed("{promptflow: flows/chat}", f"{{promptflow: flows/chat, connections: {{m: {{{line}}}}}}}")


@pytest.mark.parametrize(
    "line",
    [
        "type: open_ai, api_key: hunter2",
        "type: open_ai, API-Key: hunter2",
        "type: open_ai, api_key: '${env:MODEL KEY} hunter2'",
        "type: open_ai, api_key: 'hunter2${env:KEY}'",
        "type: custom, some_password: hunter2",
        "type: open_ai, base_url: 'https://alex:hunter2@models.contoso.com'",
        "type: open_ai, note: sk-hunter2hunter2hunter2",
        "type: custom, storage: 'AccountName=a;AccountKey=hunter2'",
        "type: open_ai, base_url: '${env:hunter2'",
    ],
)
def test_secrets_in_the_file_are_refused_and_not_repeated(line):
    """The message names the key and the way to do it; it does not spread the secret further."""
    message = refusal(connected(line))

    assert (
        "drawbridge.yaml:2: target.connections.m: this value cannot be used; expected the name of a variable" in message
    )
    assert "${env:NAME}: secrets never stand in this file" in message
    assert "hunter2" not in message


def test_secrets_nested_in_an_evaluators_arguments_are_refused():
    """A judge's model configuration holds keys too."""
    text = changed(
        "use: evaluators.exact:score", "use: evaluators.exact:score, init: {model_config: {api_key: hunter2}}"
    )
    message = refusal(text)

    assert (
        "6: evaluation.evaluators.f1.init: this value cannot be used; expected the name of a variable for api_key"
        in message
    )
    assert "hunter2" not in message


def test_references_to_the_environment_are_taken():
    """${env:NAME} is how a secret is named."""
    config = read_config(connected("type: open_ai, api_key: '${env:MODEL_API_KEY}', base_url: '${env:MODEL_BASE_URL}'"))

    assert config.target.connections["m"]["api_key"] == "${env:MODEL_API_KEY}"


def test_a_connection_without_a_type_is_refused():
    """Prompt Flow could not tell what it is."""
    assert 'expected a type for the connection m, such as "type: open_ai"' in refusal(connected("base_url: x"))


def test_metrics_of_evaluation_flows_are_not_guessed():
    """An evaluation flow names its metrics when it runs, so a gate may name any."""
    text = changed("use: evaluators.exact:score", "use: flows/eval_answer").replace("f1 >= 0.45", "groundedness >= 3.5")

    assert read_config(text).evaluation.minimal.gates == ["groundedness >= 3.5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1,\nb: 2", "drawbridge.yaml:2: this is not YAML: "),
        (
            "a: 1\n\tb: 2",
            "drawbridge.yaml:2: this is not YAML: while scanning for the next token found character '\\t'",
        ),
        ("a: 1\n---\nb: 2", "drawbridge.yaml:2: this is not YAML: expected a single document in the stream"),
        ("a: !!python/object/apply:os.system [ls]", "drawbridge.yaml:1: "),
        (
            "a: !secret b",
            "drawbridge.yaml:1: this is not YAML: could not determine a constructor for the tag '!secret'",
        ),
        ("a: *nowhere", "drawbridge.yaml:1: this is not YAML: found undefined alias 'nowhere'"),
        ("a: \x01", "drawbridge.yaml:1: this is not YAML: unacceptable character"),
        ("a: 2001-13-45", "drawbridge.yaml:1: this is not YAML: month must be in 1..12"),
        ("- 1\n- 2", "drawbridge.yaml:1: the file: this value cannot be used; expected a mapping"),
        ("just text", "drawbridge.yaml:1: the file: is 'just text'; expected a mapping"),
        ("", "drawbridge.yaml:1: version: is missing"),
        ("# only a comment\n", "drawbridge.yaml:1: version: is missing"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(text, message):
    """The YAML library's complaint, with our file and line."""
    assert message in refusal(text)


def test_a_key_that_stands_twice_is_refused():
    """YAML libraries keep one of the two silently; nobody can know which was meant."""
    message = refusal(changed("  full:", "  minimal: {data: x.jsonl, gates: []}\n  full:"))

    assert message == "drawbridge.yaml:8: evaluation.minimal: stands here a second time; expected once (see line 7)"


def test_a_key_that_is_not_text_is_refused():
    """`on`, `yes` and numbers as keys mean something else to every reader."""
    message = refusal(SMALL + "2: x\n")

    assert message == "drawbridge.yaml:12: the file: a key is not text; expected keys in letters, or in quotes"


def test_aliases_cannot_blow_the_file_up():
    """Ten lines that would expand to a billion values are stopped early."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    assert (
        refusal("\n".join(lines)) == "drawbridge.yaml:1: more than 20,000 values, aliases followed; expected far fewer"
    )


@pytest.mark.parametrize("text", ["[" * 20_000, "- " * 20_000, "a: &a [*a]"])
def test_bottomless_nesting_is_refused(text):
    """Depth is no way to crash the reader."""
    assert refusal(text) == "drawbridge.yaml:1: the file is nested too deeply; expected a few levels"


def test_a_huge_file_is_refused_unread():
    """A config is a page or two."""
    assert refusal("#" * 100_001) == "drawbridge.yaml:1: the file has 100,001 characters; expected at most 100,000"


def test_a_very_long_list_of_problems_is_cut():
    """The list ends up in a comment, which has room for a page."""
    message = refusal(SMALL + "".join(f"x{n}: 1\n" for n in range(MOST_PROBLEMS + 5)))

    assert len(message.splitlines()) == MOST_PROBLEMS + 1
    assert message.endswith("drawbridge.yaml: and 5 more problems")


def test_the_name_of_the_file_is_the_callers():
    """On a laptop it is the path that was given."""
    with pytest.raises(Invalid, match=r"^samples/helpdesk/drawbridge\.yaml:1: environments: is missing"):
        read_config("", "samples/helpdesk/drawbridge.yaml")


@settings(max_examples=150)
@given(st.text(max_size=200) | st.text(alphabet="ab:{}[]-&*!#\"'\n ,?|>%@`", max_size=80))
def test_any_text_is_read_or_refused(text):
    """No input of any kind ends in another error than Invalid, and each line names the file."""
    message = refusal(text)

    assert all(line.startswith("drawbridge.yaml:") for line in message.splitlines())


def test_importing_the_config_does_not_import_the_yaml_library():
    """Every function loads this module; only who reads a file pays for the reader."""
    code = "import domain.config, sys; sys.exit('ruamel.yaml' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_the_config_builds_no_validator():
    """Every function loads this module; only who reads a config pays for its validators."""
    code = """if True:
        from domain.config import Branches, Config, Environment, Merge, OptOutRule, Override, Schedule
        kinds = (Branches, Config, Environment, Merge, OptOutRule, Override, Schedule)
        print([kind.__name__ for kind in kinds if kind.__pydantic_complete__])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

"""The attack table: what files of a stranger's extension folder try, and the one line that each of them gets instead.

None runs code, writes outside of the runs folder and results/, or shows a secret.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.sweeps import HEADER
from replicate.errors import UserError
from replicate.experiments.experiment import load_experiment
from replicate.papers import read_paper
from replicate.paths import OWN

SECRET = "do-not-show-this"
MAKE = "{formatters: {a: {'()': os.mkdir, path: MARK}}}"
PLAIN = f"{HEADER}  a: {{}}\n"
CALLING = HEADER.replace("# @package _global_\n", "# @package _global_\ndefaults: [{group}, _self_]\n") + "  a: {{}}\n"


@dataclass(frozen=True)
class Attempt:
    """Files of the extension folder by name; experiment/resnet/x.yaml is asked for. `told` is in the answer."""

    name: str
    files: dict[str, str]
    told: str


def experiment(name: str, text: str, told: str, **others: str) -> Attempt:
    return Attempt(
        name, {"experiment/resnet/x": text, **{key.replace("__", "/"): body for key, body in others.items()}}, told
    )


def calling(name: str, group: str, told: str, **others: str) -> Attempt:
    return experiment(name, CALLING.replace("{group}", group).replace("{{}}", "{}"), told, **others)


BOMB = "\n".join([f"b0: &b0 [{SECRET}]", *(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]" for n in range(1, 10))])
USERS = "that is the command line's to say"
ASKS = "a file may refer to other settings"
ATTEMPTS = [
    experiment(
        "code by the package of the file",
        PLAIN.replace("_global_", "hydra.job_logging") + f"{MAKE[1:-1]}\n",
        "hydra.job_logging",
    ),
    experiment("code by a block hydra", f"{PLAIN}hydra: {{job_logging: {MAKE}}}\n", "has no block hydra"),
    calling(
        "code by a recipe with a block",
        "/recipe/evil@_global_",
        "sets hydra",
        recipe__evil=f"hydra: {{job_logging: {MAKE}}}",
    ),
    calling("code by a recipe's package", "/recipe/evil@hydra.job_logging", "sets hydra", recipe__evil=MAKE),
    calling("code by a group of Hydra", "override /hydra/job_logging: evil", "hydra", hydra__job_logging__evil=MAKE),
    calling(
        "another launcher of Hydra",
        "override /hydra/launcher: basic",
        "hydra",
        hydra__launcher__basic="{_target_: os.mkdir}",
    ),
    calling(
        "a launcher of its own", "override /launcher: evil", "launcher", launcher__evil="kind: ray\nruntime: {a: b}"
    ),
    calling("the suite's other launcher", "override /launcher: slurm", f"sets launcher.*{USERS}"),
    experiment("settings of a launcher", f"{PLAIN}launcher: {{extra: {{wrap: touch MARK}}}}\n", USERS),
    experiment("a class deep inside", f"{PLAIN}options: {{a: {{b: [{{_target_: os.mkdir}}]}}}}\n", "_target_"),
    experiment("another runs folder", f"{PLAIN}runs_dir: MARK\n", f"runs_dir: {USERS}"),
    experiment("a mirror that sends", f"{PLAIN}wandb: online\n", f"wandb: {USERS}"),
    experiment("the machine's threads", f"{PLAIN}machine: {{threads: 4096}}\n", f"machine.threads: {USERS}"),
    experiment("a download elsewhere", f"{PLAIN}data: {{root: MARK, download: true}}\n", f"data.download: {USERS}"),
    experiment("a variant's download", PLAIN.replace("a: {}", "a: {data: {root: MARK}}"), f"data.root is {USERS[8:]}"),
    experiment(
        "a variant's download by reference",
        PLAIN.replace("a: {}", "a: {data: '${hidden}'}") + "hidden: {root: MARK}\n",
        f"data.root is {USERS[8:]}",
    ),
    experiment(
        "a secret in a deviation", f"{PLAIN}deviations: {{smoke: ['${{oc.env:TOKEN}}']}}\n", f"asks oc.env: {ASKS}"
    ),
    experiment("a secret in an option", f"{PLAIN}options: {{a: '${{oc.env:TOKEN}}'}}\n", ASKS),
    experiment("a secret as a variant", PLAIN.replace("a: {}", "'${oc.env:TOKEN}': {}"), ASKS),
    experiment("a secret by a composed name", f"{PLAIN}how: oc.env\nnotes: '${{${{how}}:TOKEN}}'\n", ASKS),
    experiment("a secret by decoding", f"{PLAIN}notes: '${{oc.decode:\"${{oc.env:TOKEN}}\"}}'\n", ASKS),
    experiment("a secret within the suite's resolver", f"{PLAIN}notes: '${{at:{{smoke:${{oc.env:TOKEN}}}}}}'\n", ASKS),
    experiment(
        "a secret in a study's preset",
        PLAIN.replace("table:", "defaults: [{/study: evil}, _self_]\ntable:"),
        ASKS,
        study__evil="notes: ${oc.env:TOKEN}",
    ),
    experiment("Hydra's own settings", f"{PLAIN}notes: '${{hydra:runtime.cwd}}'\n", ASKS),
    experiment("a terminal's commands", f'{PLAIN}notes: "\\e[2J\\e]0;owned\\a"\n', "control character U\\+001B"),
    experiment("text that turns", f'{PLAIN}notes: "a\\u202Eb"\n', "control character U\\+202E"),
    experiment("a formula as a variant", PLAIN.replace("a: {}", "'=HYPERLINK(1)': {}"), "no plain name"),
    experiment("markup as a variant", PLAIN.replace("a: {}", "'<script>': {}"), "no plain name"),
    experiment("a quote as a variant", PLAIN.replace("a: {}", '"it\'s": {}'), "no plain name"),
    experiment("a backslash as a variant", PLAIN.replace("a: {}", "'a\\': {}"), "no plain name"),
    experiment("aliases of aliases", f"{PLAIN}{BOMB}\n", "stand for more than 100,000 values"),
    experiment("a block within itself", f"{PLAIN}notes: &n [*n]\n", "for one within itself"),
    experiment("blocks without end", f"{PLAIN}notes: {'[' * 3000}{']' * 3000}\n", "blocks within blocks"),
    experiment("a file without end", f"{PLAIN}notes: '{'a' * (1 << 20)}'\n", "is the most"),
    experiment("no text", f"{PLAIN}notes: '\x00'\n", "x.yaml"),
    calling(
        "aliases of aliases in a recipe",
        "/recipe/evil@_global_",
        "stand for more than 100,000 values",
        recipe__evil=BOMB,
    ),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_a_file_of_a_stranger_is_data(workdir: Path, monkeypatch: pytest.MonkeyPatch, attempt: Attempt) -> None:
    own, mark = workdir / "own", workdir / "mark"
    for name, text in attempt.files.items():
        path = own / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("MARK", str(mark)), encoding="utf-8")
    monkeypatch.setenv(OWN, str(own))
    monkeypatch.setenv("TOKEN", SECRET)
    with pytest.raises(UserError, match=attempt.told) as answer:
        experiment = load_experiment("x", ["scale=smoke"])
        experiment.runs()
    assert "\n" not in str(answer.value)
    assert SECRET not in str(answer.value)
    assert sorted(path.name for path in workdir.iterdir()) == ["own"]


def test_plain_files_of_an_extension_folder_still_work(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workdir / "own" / "experiment" / "resnet" / "x.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(f"{PLAIN}notes: 'ten µs, ${{table}}'\n", encoding="utf-8")
    monkeypatch.setenv(OWN, str(workdir / "own"))
    words = [
        "scale=smoke",
        "launcher=inline",
        "machine.threads=2",
        "data.root=/data",
        "runs_dir=here",
        "wandb=disabled",
    ]
    experiment = load_experiment("x", words)
    assert experiment.runs_dir == workdir / "here"
    assert (experiment.machine.threads, experiment.launcher["kind"]) == (2, "inline")
    data = experiment.runs()[0].config.data
    assert data is not None
    assert data.root == "/data"


def test_an_escaped_reference_stays_text(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workdir / "own" / "experiment" / "resnet" / "x.yaml"
    path.parent.mkdir(parents=True)
    text = PLAIN.replace("depth: 8", "depth: '${at:{smoke:\"\\${oc.env:TOKEN}\"}}'")
    assert text != PLAIN
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv(OWN, str(workdir / "own"))
    monkeypatch.setenv("TOKEN", SECRET)
    assert SECRET not in str(load_experiment("x", ["scale=smoke"]).runs())


def test_an_error_line_commands_no_terminal() -> None:
    assert str(UserError("image a\x1b[2J\x9b.jpg is damaged")) == "image a\\x1b[2J\\x9b.jpg is damaged"


def test_a_paper_of_a_stranger_is_bounded(workdir: Path) -> None:
    for text, told in (
        (f"id: x\n{BOMB}", "stand for more than 100,000 values"),
        ('id: "\\e[31m"', "control character"),
    ):
        Path("x.yaml").write_text(text)
        with pytest.raises(UserError, match=told):
            read_paper(Path("x.yaml"))

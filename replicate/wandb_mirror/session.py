"""How runs are opened and closed in wandb: which mode, what to do with a dead server, what counts as delivered.

The run store is the truth. A server that is dead or refuses costs one line and a few seconds: the run is then written
to a folder that `replicate sync` uploads later.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

PROJECT = "replicate"
PATIENCE = 20.0  # seconds; wandb's own calls that take longer are left to themselves
PROBE = 3.0  # seconds in which a server must answer before a run is opened online
FINISH, UPLOAD = 10.0, 120.0  # seconds for what is left to upload at the end of a run, and of one with weights
RETRY = 600.0  # seconds after which a server that was dead is asked again
SYNCED = ".synced"  # wandb marks an uploaded file by one of its name with this at the end
LEFT = "not all is in wandb, `replicate sync` uploads the rest"
OFF = {"offline": "offline", "dryrun": "offline", "disabled": "disabled"}
TRUE = {"1", "true", "yes", "on"}

T = TypeVar("T")

told: set[str] = set()
"""What the process has said: each warning is one line, however many runs meet it."""

dead: dict[str, float] = {}
"""Server -> when it was found dead, on the monotonic clock."""


def within(seconds: float, action: Callable[[], T]) -> T:
    """What `action` returns or raises; TimeoutError when it takes longer, and it is left to itself."""
    outcome: Future[T] = Future()

    def act() -> None:
        try:
            outcome.set_result(action())
        except BaseException as error:  # told to the caller, who knows what to make of it
            outcome.set_exception(error)

    threading.Thread(target=act, daemon=True).start()
    try:
        return outcome.result(seconds)
    except TimeoutError as error:
        if outcome.done():  # its own
            raise
        raise TimeoutError(f"no answer in {seconds:g} s") from error


def patiently(action: Callable[[], T]) -> T:
    """What `action` returns or raises, within the time that a call of wandb may take."""
    return within(PATIENCE, action)


def warn(error: Exception, what: str = "wandb is left out") -> None:
    """One line on stderr, once in a process."""
    text = str(error).strip().splitlines()
    line = f"replicate: {what} ({text[0] if text else type(error).__name__})"
    if line not in told:
        told.add(line)
        print(line, file=sys.stderr, flush=True)


def attempt(action: Callable[[], object]) -> bool:
    """Do `action`; a failure is one warning. Whether it was done."""
    try:
        action()
    except Exception as error:  # wandb raises many kinds; none of them may touch a run
        warn(error)
        return False
    return True


def settings_of(asked: str = "auto") -> Any:
    """wandb's settings: its environment variables and files, under what was asked for; silent from here on."""
    import wandb

    if os.environ.get("WANDB_MODE") == "":  # set to nothing means not set, which wandb refuses
        del os.environ["WANDB_MODE"]
    explicit: dict[str, Any] = {} if asked == "auto" else {"mode": asked}
    return wandb.setup(settings=wandb.Settings(silent=True, **explicit)).settings


def mode_of(asked: str) -> str:
    """`online`, `offline` or `disabled`. `asked`: one of WANDB_MODES; `auto` gives way to wandb's own settings.

    Where these say nothing, a login means online and none means offline.
    """
    if asked != "auto":
        return asked
    if os.environ.get("WANDB_DISABLED", "").lower() in TRUE:
        return "disabled"
    named = os.environ.get("WANDB_MODE")
    if named in OFF:  # known without wandb, whose import takes a second
        return OFF[named]
    settled = OFF.get(settings_of().mode, "online")
    return "offline" if settled == "online" and not named and not has_login() else settled


def has_login() -> bool:
    """Whether wandb knows a key; asks neither the user nor the network. Says nothing once `settings_of` was called."""
    import wandb

    return bool(wandb.login(prompt=False, verify=False))


def check_server(patience: float | None = None) -> None:
    """Raises ConnectionError unless there is a login and a server that takes it, within `patience` seconds or PROBE."""
    import wandb

    server, now = str(settings_of().base_url), time.monotonic()  # silent before it looks for a login
    if not has_login():
        raise ConnectionError("there is no login: `wandb login` makes one")
    if now - dead.get(server, -RETRY) < RETRY:
        raise ConnectionError(f"no answer from {server}")
    seconds: Any = PROBE if patience is None else patience  # whole ones by wandb's hint
    try:
        within(seconds + 1, lambda: wandb.Api(timeout=seconds))
    except Exception as error:
        if time.monotonic() - now < seconds:
            raise ConnectionError(f"{server} refuses the login") from error
        dead[server] = now
        raise ConnectionError(f"no answer from {server}") from error


def answers() -> bool:
    """Whether `check_server` has nothing to say."""
    try:
        check_server()
    except ConnectionError:
        return False
    return True


def destination() -> str:
    """Where runs of this process go: server, entity and project."""
    settings = settings_of()
    return f"{settings.base_url} {settings.entity or ''} {settings.project or PROJECT}"


@dataclass(frozen=True)
class OpenRun:
    """A wandb run that is being written; `lost` is not empty once wandb has given up uploading it."""

    run: Any
    lost: list[bool]
    upload_seconds: float

    def close(self, code: int = 0) -> None:
        """Close it, as failed unless `code` is 0. What did not arrive costs a line and waits for `replicate sync`.

        A run whose server is gone is left open: wandb closes its file when the process ends. Closed twice, it could
        not be uploaded.
        """
        try:
            if not self.run.offline:
                check_server()
            within(self.upload_seconds + 2, lambda: self.run.finish(exit_code=code))
            if self.lost:
                raise ConnectionError("the server stopped taking data")
            if not self.run.offline:
                file = Path(self.run.dir).with_name(f"run-{self.run.id}.wandb")
                file.with_name(file.name + SYNCED).touch()
        except Exception as error:  # wandb raises many kinds
            warn(error, LEFT)


def open_run(asked: str, runs_dir: Path, large: bool = False, **given: Any) -> OpenRun:
    """Open a run whose files lie in `runs_dir`/wandb: online if that is the mode and the server answers, else offline.

    large: with system metrics, and with time to upload weights at the end. Raises what wandb raises.
    """
    runs_dir.mkdir(parents=True, exist_ok=True)
    if asked == "online":
        settings_of(asked)  # over WANDB_MODE
    if mode_of(asked) == "online":
        try:
            check_server()
            return init_run("online", runs_dir, large, given)
        except Exception as error:  # as above
            warn(error, "wandb is written offline, for `replicate sync`")
    return init_run("offline", runs_dir, large, given)


def init_run(mode: Literal["online", "offline"], runs_dir: Path, large: bool, given: Mapping[str, Any]) -> OpenRun:
    """The run in wandb, in that mode."""
    import wandb

    lost: list[bool] = []
    upload_seconds = UPLOAD if large else FINISH
    settings = wandb.Settings(
        silent=True,
        console="off",
        init_timeout=PATIENCE,
        finish_timeout=upload_seconds,
        finish_timeout_raises=True,
        stop_on_fatal_error=True,
        stop_fn=lambda: lost.append(True),  # else wandb would interrupt the process, and the training with it
        x_disable_stats=not large,
        x_disable_meta=True,  # paths and the user's name; commit and machine stand in the configuration
        x_transaction_log_flush_interval=2,  # seconds that a kill may cost, and that `wandb leet` lags behind
    )
    project = settings_of().project or PROJECT
    init = partial(wandb.init, mode=mode, project=project, dir=str(runs_dir), resume="allow", reinit="create_new")
    run = within(2 * PATIENCE, lambda: init(settings=settings, **given))  # wandb's own limit comes first
    return OpenRun(run, lost, upload_seconds)

"""What a paper asserts: a claim with its tests as data, its premises, and what was found of a document's claim."""

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from replicate.papers.claims import ClaimTest
from replicate.papers.criterion import describe
from replicate.papers.facts import Fact, Names, Reason, Value, as_tuple

Kind = Literal["exact", "order", "trend", "equal", "ratio", "collapse", "growth"]
About = Literal["optimisation", "regularisation", "capacity", "cost"]


class Premise(Fact):
    """What must be true of a row before a claim can be judged: its mean in `metric` lies below or above a bound.

    because: why the claim says nothing where this is not so.
    """

    row: str
    metric: str
    below: float | None = None
    above: float | None = None
    because: Reason

    @model_validator(mode="after")
    def _one_bound(self) -> "Premise":
        if (self.below is None) == (self.above is None):
            raise ValueError("a premise has either below or above")
        return self

    @property
    def words(self) -> str:
        """The premise as half a sentence: `train_error of 1202 constant below 5`."""
        bound = f"below {self.below:g}" if self.below is not None else f"above {self.above:g}"
        return f"{self.metric} of {self.row} {bound}"


class Examined(Fact):
    """What a source document prints for a claim and what was found: `verdict` in words, `right` where it differs.

    how: the check that a program of replicate/statements makes, where that decides the claim.
    """

    where: tuple[str, ...]
    how: str | None = None
    printed: Value = None
    computed: Value | dict[int, Value] = None
    verdict: str | None = None
    right: str | None = None


class Claim(Fact):
    """What a paper or source document asserts, and the tests that would confirm it: all of them must hold.

    A claim without a test either says the same as others (`same_as`: paper/claim), whose verdicts are then its own, or
    it is out of reach of every experiment here, with the reason; only then `kind` and `check` are written down.

    about: the mechanism that it speaks of, from which the training regime of a laptop experiment follows.
    premise: what must be true before it can be judged.
    note: what the tests leave out of the sentence or add to it, and why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: str
    statement: str
    table: str | None = None
    test: Annotated[tuple[ClaimTest, ...], BeforeValidator(as_tuple)] = ()
    about: About | None = None
    premise: Annotated[tuple[Premise, ...], BeforeValidator(as_tuple)] = ()
    note: str | None = None
    untested_kind: Kind | None = Field(None, alias="kind")
    check: str | None = None
    same_as: Names = ()
    out_of_reach: Annotated[str, Field(min_length=10)] | None = None
    examined: Examined | None = None

    @field_validator("test", mode="before")
    @classmethod
    def _unbound(cls, value: Any) -> Any:
        return () if value is None else value

    @model_validator(mode="after")
    def _one_answer(self) -> "Claim":
        if sum(map(bool, (self.test, self.same_as, self.out_of_reach))) > 1:
            raise ValueError(f"claim {self.id}: only one of test, same_as and out_of_reach")
        if self.test and self.check:
            raise ValueError(f"claim {self.id}: its test says what would confirm it: leave out check")
        kinds = {test.kind for test in self.test}
        if not kinds and self.untested_kind is None:
            raise ValueError(f"claim {self.id}: a claim without a test needs a kind")
        if kinds and self.untested_kind not in {None, *kinds}:
            raise ValueError(f"claim {self.id}: its kind is that of its tests, {', '.join(sorted(kinds))}")
        return self

    @property
    def kind(self) -> Kind:
        """The kind of most of its tests, the first of those that are equally many."""
        if not self.test:
            assert self.untested_kind is not None
            return self.untested_kind
        return Counter[Kind](test.kind for test in self.test).most_common(1)[0][0]

    @property
    def criterion(self) -> str:
        """What would confirm it, in words: its tests one by one, or what is written where there is none."""
        if self.examined and self.examined.how:
            return self.examined.how
        said = "; ".join(map(describe, self.test)) or self.check or f"as {', '.join(self.same_as)}"
        asked = " and ".join(premise.words for premise in self.premise)
        return f"{said}. Asked only where {asked}" if asked else said

"""Schemas as they occur in programs: nested generics, odd types, TypedDicts of every make."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Required,
    TypeVar,
)
from uuid import UUID

from pydantic import (
    AliasPath,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    RootModel,
    SecretStr,
    computed_field,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

T = TypeVar("T")
K = TypeVar("K")


class Money(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")
    amount_due: Decimal
    currency_code: Literal["EUR", "USD"] = "EUR"


class Box(BaseModel, Generic[T]):
    model_config = ConfigDict(alias_generator=to_camel)
    inner_value: T
    other_values: dict[str, T] = {}


class Pair(BaseModel, Generic[T, K]):
    left: Box[T]
    right: Box[K]


class Sizes(StrEnum):
    S = "s"
    L = "l"


class Priority(IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(Enum):
    X = 1
    Y = "y"
    Z = None


class Stamp(BaseModel):
    at: datetime
    day: date
    clock: time
    span: timedelta
    id: UUID
    ip: IPv4Address
    path: Path
    url: HttpUrl


class Tuples(BaseModel):
    point: tuple[int, int]
    names: tuple[str, ...]
    tags: set[str]
    frozen: frozenset[int]
    pairs: list[tuple[str, float]]


class Blob(BaseModel):
    data: bytes
    encoded: Base64Bytes


class Computed(BaseModel):
    a: int = Field(gt=0, le=10, multiple_of=2)
    b: str = Field(min_length=2, max_length=5, pattern=r"^[a-z]+$")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return self.a * 2


class Span(BaseModel):
    start: date
    end: date

    @model_validator(mode="after")
    def _ordered(self) -> Span:
        if self.end < self.start:
            msg = "the end is before the start"
            raise ValueError(msg)
        return self


class Choices(BaseModel):
    size: Sizes | None = None
    priority: Priority | None = None
    mixed: Mixed = Mixed.Y
    literal: Literal[1, "a", True] | None = 1


class Tree(BaseModel, Generic[T]):
    value: T
    kids: list[Tree[T]] = []


class Left(BaseModel):
    right: Right | None = None
    n: int = 0


class Right(BaseModel):
    left: Left | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog", "puppy"]
    tricks: list[str]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Prices(RootModel[dict[str, Money]]):
    pass


class Pets(RootModel[list[Pet]]):
    pass


class Price(RootModel[Money]):
    pass


class Person(TypedDict, total=False):
    """A person."""

    name: Required[Annotated[str, "the name"]]
    age: NotRequired[Annotated[int, ..., "the age"]]


class Joke(TypedDict):
    """A joke, as LangChain's documentation writes it."""

    setup: Annotated[str, ..., "How it begins"]
    rating: Annotated[int | None, None, "How funny it is"]


class Meeting(TypedDict):
    who: Person
    when: NotRequired[date]
    tags: list[Literal["a", "b"]]
    money: Money


@dataclass
class Address:
    street: str
    codes: list[int] = field(default_factory=list)
    extra: dict[str, Address] = field(default_factory=dict)


@dataclass(frozen=True)
class Parcel:
    address: Address
    size: Sizes = Sizes.S
    when: date | None = None
    money: Money | None = None


class Named(NamedTuple):
    a: int
    b: str = "x"


class Everything(BaseModel):
    person: Person
    address: Address
    named: Named
    any: Any = None
    anything: dict[str, Any] = {}
    union: int | str | list[int]
    float: float
    big: int


class Empty(BaseModel):
    pass


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class ByPath(BaseModel):
    x: int = Field(validation_alias=AliasPath("pos", 0))


class TwoNames(BaseModel):
    x: int = Field(serialization_alias="ex", validation_alias="ix")


class Hidden(BaseModel):
    word: SecretStr


class Keys(BaseModel):
    by_int: dict[int, str]
    by_enum: dict[Sizes, int]


class Keywords(BaseModel):
    """Field names and a text with "quotes", \\ and ünïcode."""

    schema_: str = Field(alias="schema")
    id_: str = Field(alias="$id")
    type_: str = Field(alias="type", examples=["a"], json_schema_extra={"x": 1})


class Lenient(BaseModel):
    value: int

    @field_validator("value", mode="before")
    @classmethod
    def _without_commas(cls, value: Any) -> int:
        return int(str(value).replace(",", ""))


UserId = NewType("UserId", int)
ID = "12345678-1234-5678-1234-567812345678"

ODD: dict[str, tuple[Any, Any]] = {
    "money": (Money, {"amountDue": "12.50", "currencyCode": "USD"}),
    "money num": (Money, {"amountDue": 12.5}),
    "pair": (
        Pair[Money, list[int]],
        {
            "left": {"innerValue": {"amountDue": "1"}, "otherValues": {"q": {"amountDue": "2"}}},
            "right": {"innerValue": [1, 2], "otherValues": {}},
        },
    ),
    "stamp": (
        Stamp,
        {
            "at": "2024-01-02T03:04:05Z",
            "day": "2024-01-02",
            "clock": "03:04:05",
            "span": "P1DT2H",
            "id": ID,
            "ip": "1.2.3.4",
            "path": "/a",
            "url": "https://x.test/",
        },
    ),
    "tuples": (
        Tuples,
        {
            "point": [1, 2],
            "names": ["a"],
            "tags": ["x", "y"],
            "frozen": [1, 2],
            "pairs": [["a", 1.5]],
        },
    ),
    "blob": (Blob, {"data": "abc", "encoded": "aGk="}),
    "comp": (Computed, {"a": 4, "b": "abc"}),
    "span": (Span, {"start": "2024-01-01", "end": "2024-02-01"}),
    "opte": (Choices, {"size": "l", "priority": 2, "mixed": 1, "literal": "a"}),
    "opte2": (Choices, {"size": None, "priority": None, "mixed": None, "literal": None}),
    "tree": (
        Tree[Money],
        {"value": {"amountDue": "1"}, "kids": [{"value": {"amountDue": "2"}, "kids": []}]},
    ),
    "mutual": (Left, {"right": {"left": {"right": None, "n": 3}}, "n": 1}),
    "root": (Prices, {"a": {"amountDue": "3"}}),
    "rootlist": (Pets, {"value": [{"kind": "cat", "lives": 9}, {"kind": "puppy", "tricks": []}]}),
    "rootm": (Price, {"amountDue": "3"}),
    "pet": (Pet, {"value": {"kind": "puppy", "tricks": ["sit"]}}),
    "listpet": (list[Pet], {"value": [{"kind": "cat", "lives": 9}]}),
    "joke": (Joke, {"setup": "Knock"}),
    "joke rated": (Joke, {"setup": "Knock", "rating": 3}),
    "td": (Person, {"name": "x"}),
    "td2": (
        Meeting,
        {
            "who": {"name": "x", "age": 3},
            "when": "2024-01-01",
            "tags": ["a"],
            "money": {"amountDue": "1"},
        },
    ),
    "dc": (
        Parcel,
        {
            "address": {
                "street": "s",
                "codes": [1],
                "extra": {"h": {"street": "t", "codes": [], "extra": {}}},
            },
            "size": "l",
            "when": "2024-01-01",
            "money": {"amountDue": "1"},
        },
    ),
    "nt": (Named, {"value": [1, "y"]}),
    "nested": (
        Everything,
        {
            "person": {"name": "n"},
            "address": {"street": "s"},
            "named": [1, "b"],
            "any": [1, {"a": None}],
            "anything": {"k": 1},
            "union": [1],
            "float": 1e308,
            "big": 10**30,
        },
    ),
    "empty": (Empty, {}),
    "extra": (Extra, {"a": 1, "b": 2}),
    "aliaspath": (ByPath, {"pos": [4]}),
    "ser": (TwoNames, {"ix": 4}),
    "secret": (Hidden, {"word": "x"}),
    "keys": (Keys, {"by_int": {"1": "a"}, "by_enum": {"s": 1}}),
    "desc": (Keywords, {"schema": "a", "$id": "b", "type": "c"}),
    "late": (Lenient, {"value": "1,234"}),
    "strenum": (Sizes, {"value": "l"}),
    "intenum": (Priority, {"value": 2}),
    "mixed": (Mixed, {"value": None}),
    "listenum": (list[Sizes], {"value": ["s", "l"]}),
    "optlist": (list[Money] | None, {"value": [{"amountDue": "1"}]}),
    "dictmodel": (dict[str, Money], {"a": {"amountDue": "1"}}),
    "dictint": (dict[int, date], {"1": "2024-01-01"}),
    "tuple": (tuple[int, str], {"value": [1, "a"]}),
    "set": (set[int], {"value": [1, 2]}),
    "literal": (Literal["a", "b"], {"value": "b"}),
    "union prim": (int | str | None, {"value": "x"}),
    "annot": (Annotated[int, Field(ge=1, description="n")], {"value": 4}),
    "datetime": (datetime, {"value": "2024-01-02T03:04:05"}),
    "decimal": (Decimal, {"value": "1.10"}),
    "uuid": (UUID, {"value": ID}),
    "str": (str, {"value": "x"}),
    "bool": (bool, {"value": True}),
    "float": (float, {"value": 1.5}),
    "any": (Any, {"value": {"a": 1}}),
    "listany": (list, {"value": [1, "a"]}),
    "dict": (dict, {"value": {"a": 1}}),
    "listlist": (list[list[Money]], {"value": [[{"amountDue": "1"}], []]}),
    "union dc": (Address | Money, {"value": {"street": "s"}}),
    "optdc": (Address | None, {"value": {"street": "s"}}),
    "newtype": (UserId, {"value": 3}),
}
"""A schema, and a JSON answer for it."""

"""Schemas of every kind, with a JSON answer and the value it must become."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field, RootModel
from typing_extensions import TypedDict


class Place(BaseModel):
    """A place on the map."""

    name: str = Field(description="Its name")
    people: int = Field(ge=0)


class Trip(BaseModel):
    stops: list[Place]
    note: str | None = None


class Node(BaseModel):
    value: int
    children: list[Node] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Owner(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Paint(BaseModel):
    color: Color
    level: Level


class Aliased(BaseModel):
    first_name: str = Field(alias="firstName")


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    items: list[Item]


class Numbers(RootModel[list[int]]):
    pass


class City(TypedDict):
    """A city."""

    name: str
    people: int


@dataclass
class Point:
    x: int
    y: int


PLAIN = {
    "title": "Place",
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
}
PARIS = {"name": "Paris", "people": 2_100_000}

KINDS: dict[str, tuple[Any, Any, Any]] = {
    "model": (Place, PARIS, Place(**PARIS)),
    "nested": (Trip, {"stops": [PARIS], "note": None}, Trip(stops=[Place(**PARIS)])),
    "recursive": (
        Node,
        {"value": 1, "children": [{"value": 2, "children": []}]},
        Node(value=1, children=[Node(value=2)]),
    ),
    "discriminated": (
        Owner,
        {"pet": {"kind": "dog", "tricks": ["sit"]}},
        Owner(pet=Dog(kind="dog", tricks=["sit"])),
    ),
    "enums": (Paint, {"color": "red", "level": 2}, Paint(color=Color.RED, level=Level.HIGH)),
    "alias": (Aliased, {"firstName": "Ada"}, Aliased(firstName="Ada")),
    "generic": (Page[int], {"items": [1, 2]}, Page[int](items=[1, 2])),
    "root": (Numbers, {"value": [1, 2]}, Numbers([1, 2])),
    "typeddict": (City, PARIS, PARIS),
    "dataclass": (Point, {"x": 1, "y": 2}, Point(1, 2)),
    "enum": (Color, {"value": "blue"}, Color.BLUE),
    "list": (list[Place], {"value": [PARIS]}, [Place(**PARIS)]),
    "union": (Cat | Dog, {"value": {"kind": "cat", "lives": 9}}, Cat(kind="cat", lives=9)),
    "optional": (Place | None, {"value": None}, None),
    "plain dict": (PLAIN, PARIS, PARIS),
    "openai dict": (
        {"name": "Place", "description": "A place.", "parameters": PLAIN},
        PARIS,
        PARIS,
    ),
    "function dict": (
        {"type": "function", "function": {"name": "Place", "parameters": PLAIN}},
        PARIS,
        PARIS,
    ),
}

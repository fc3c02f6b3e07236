"""A graph as a picture: every node, every way, and what has no room for a straight line."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from langgraph.graph import END, START, StateGraph

from langchain_kimi.drawing import graph_svg

SVG = "{http://www.w3.org/2000/svg}"


def compiled():
    graph = StateGraph(dict)
    for name in ("plan", "work <b>", "check"):
        graph.add_node(name, lambda state: state)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "work <b>")
    graph.add_edge("work <b>", "check")
    graph.add_conditional_edges("check", lambda _: END, ["plan", END])
    graph.add_conditional_edges("plan", lambda _: END, [END])
    return graph.compile()


def test_all_nodes_and_ways_are_drawn() -> None:
    graph = compiled()
    picture = ET.fromstring(graph_svg(graph))

    assert [text.text for text in picture.iter(f"{SVG}text")] == [
        *("start", "plan", "work <b>", "check", "end")
    ]
    ways = [way for way in picture.iter(f"{SVG}path") if way.get("marker-end")]
    assert len(ways) == len(graph.get_graph().edges) == 6
    dashed = [way for way in ways if way.get("stroke-dasharray")]
    assert len(dashed) == 3
    bent = [way.get("d") for way in ways if "Q" in way.get("d")]
    assert len(bent) == 2, "one way back, one way past"
    assert graph_svg(graph) == graph_svg(graph.get_graph())


def test_ways_that_overlap_have_lanes_of_their_own() -> None:
    graph = StateGraph(dict)
    names = [str(number) for number in range(5)]
    for name in names:
        graph.add_node(name, lambda state: state)
    graph.add_edge(START, "0")
    for here, there in zip(names, [*names[1:], END], strict=True):
        graph.add_edge(here, there)
    for name in names[:4]:
        graph.add_conditional_edges(name, lambda _: END, [END])
    picture = ET.fromstring(graph_svg(graph.compile()))

    bent = [way.get("d") for way in picture.iter(f"{SVG}path") if "Q" in way.get("d", "")]
    lanes = {way.split("Q")[1].split()[0] for way in bent}
    assert len(bent) == len(lanes) == 4
    width = float(picture.get("viewBox").split()[2])
    assert all(float(lane) < width for lane in lanes)

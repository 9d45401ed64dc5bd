"""The index finds exactly the sections that hold a place."""

from hypothesis import given
from hypothesis import strategies as st

from apps.listings.search import Box
from schema.live.map_index import MOST_TILES, MapIndex, holds, tiles_of

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)
boxes = st.builds(
    lambda a, b, west, east: Box(south=min(a, b), west=west, north=max(a, b), east=east),
    latitudes, latitudes, longitudes, longitudes,
)  # fmt: skip


@given(st.lists(boxes, max_size=8), latitudes, longitudes)
def test_the_index_agrees_with_asking_every_section(sections: list[Box], latitude: float, longitude: float) -> None:
    index: MapIndex[int] = MapIndex()
    for number, box in enumerate(sections):
        index.add(box, number)
    wanted = {number for number, box in enumerate(sections) if holds(box, latitude, longitude)}
    assert set(index.around(latitude, longitude)) == wanted
    for number, box in enumerate(sections):
        index.remove(box, number)
    assert list(index.around(latitude, longitude)) == []
    assert index._filed == {}


@given(boxes)
def test_a_section_is_filed_under_a_few_tiles(box: Box) -> None:
    assert 1 <= len(tiles_of(box)) <= 2 * MOST_TILES


def test_a_small_section_is_found_by_fine_tiles_alone() -> None:
    berlin = tiles_of(Box(south=52.50, west=13.38, north=52.53, east=13.42))
    assert {level for level, *_ in berlin} == {14}
    assert len(berlin) <= MOST_TILES


def test_both_names_of_the_antimeridian_are_one_place() -> None:
    pacific = Box(south=-20, west=175, north=-10, east=-175)
    assert holds(pacific, -18, 180.0)
    assert holds(pacific, -18, -180.0)
    assert holds(Box(south=-20, west=-180, north=-10, east=-170), -18, 180.0)
    assert not holds(pacific, -18, 0)

"""How many connections a process takes."""

from schema.live.room import Room


def test_one_address_does_not_take_all_the_room() -> None:
    room = Room(most=5, most_of_one=3)
    assert [room.enter("a") for _ in range(4)] == [True, True, True, False]
    assert [room.enter("b") for _ in range(3)] == [True, True, False]
    assert not room.enter("c")
    room.leave("a")
    assert room.enter("c")
    assert not room.enter("a")


def test_who_left_is_forgotten() -> None:
    room = Room(most=2, most_of_one=2)
    for number in range(1_000):
        assert room.enter(str(number))
        room.leave(str(number))
    assert not room._taken

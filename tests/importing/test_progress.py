"""The bar of an import."""

from io import StringIO

from apps.importing.progress import Progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_how_far_it_is() -> None:
    screen = Terminal()
    progress = Progress(screen, size=200)
    progress.show(50, 1234)
    assert screen.getvalue() == "\r[########......................]  25% 1,234 rows"
    progress.clear()
    assert screen.getvalue().endswith(" \r")


def test_a_file_or_a_pipe_sees_nothing() -> None:
    stream = StringIO()
    progress = Progress(stream, size=200)
    progress.show(50, 1)
    progress.clear()
    assert stream.getvalue() == ""

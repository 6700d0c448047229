"""What the installed package carries besides its modules."""

from importlib.metadata import metadata, requires
from importlib.resources import files

import msgqueue


def test_the_version_of_the_distribution_is_the_version_of_the_package() -> None:
    assert metadata("msgqueue")["Version"] == msgqueue.__version__


def test_the_package_is_marked_as_typed() -> None:
    assert files("msgqueue").joinpath("py.typed").is_file()


def test_both_lines_of_rq_may_be_installed() -> None:
    needed = requires("msgqueue") or []

    assert "rq<4,>=2.12" in needed

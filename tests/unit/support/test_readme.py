"""Code blocks of a page are found, and run where they are marked."""

from pathlib import Path

import pytest

from support.readme import blocks, run_block

PAGE = """\
# A page

```console run
$ echo one \\
>   two
one two
$ echo $WHO > file
```

```sh
false
```

   ~~~sh run
   exit 3
   ~~~

````markdown
```sh run
echo inside another block
```
````
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    path.write_text(PAGE, "utf-8")
    return path


def test_only_marked_blocks_are_returned(page: Path) -> None:
    assert [(block.language, block.line) for block in blocks(page)] == [("console", 3), ("sh", 14)]


def test_unmarked_blocks_are_returned_when_asked_for(page: Path) -> None:
    assert [block.text for block in blocks(page, "sh", marked=False)] == ["false\n", "exit 3\n"]


def test_of_a_console_only_the_commands_are_run(page: Path) -> None:
    (block,) = blocks(page, "console")
    assert run_block(block, folder=page.parent, environment={"WHO": "me"}) == "one two\n"
    assert (page.parent / "file").read_text() == "me\n"


def test_a_command_that_fails_names_its_line(page: Path) -> None:
    (block,) = blocks(page, "sh")
    with pytest.raises(RuntimeError, match="line 14 ended with 3"):
        run_block(block, folder=page.parent)


def test_a_block_that_is_never_closed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("```sh run\necho\n")
    with pytest.raises(ValueError, match=r"page\.md:1"):
        blocks(path)

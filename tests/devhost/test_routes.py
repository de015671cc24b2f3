"""Route templates mean what they mean in ASP.NET."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devhost.environment import StartError
from devhost.routes import parse, split_path

MATCHES = [
    ("a", "/a", {}),
    ("a", "/A/", {}),
    ("a", "/a/b", None),
    ("", "/", {}),
    ("", "/a", None),
    ("/a/", "/a", {}),
    ("{x}", "/1", {"x": "1"}),
    ("{x}", "/", None),
    ("a/{x?}", "/a", {}),
    ("a/{x?}", "/a/1", {"x": "1"}),
    ("a/{x?}/b", "/a/b", None),
    ("a/{x=7}", "/a", {"x": "7"}),
    ("a/{x=}", "/a", {"x": ""}),
    ("a/{x=1}/{y=2}", "/a/9", {"x": "9", "y": "2"}),
    ("{*rest}", "/", {}),
    ("{*rest}", "/a/b/c", {"rest": "a/b/c"}),
    ("f/{**rest}", "/f/a%20b/c", {"rest": "a b/c"}),
    ("f/{*rest=all}", "/f", {"rest": "all"}),
    ("f/{*rest:maxlength(3)}", "/f/a/bc", None),
    ("{a}-{b}", "/x-y-z", {"a": "x-y", "b": "z"}),
    ("v{major:int}.{minor:int}", "/V1.20", {"major": "1", "minor": "20"}),
    ("file.{kind}", "/fileXtxt", None),
    ("{x}", "/a%2Fb", {"x": "a%2Fb"}),
    ("{x}", "/%E2%82%AC", {"x": "€"}),
    ("{{literal}}", "/{literal}", {}),
    (r"{x:regex(^\d{{2}}$)}", "/12", {"x": "12"}),
    (r"{x:regex(^\d{{2}}$)}", "/123", None),
    ("{x:regex(^(a|b)$)}", "/B", {"x": "B"}),
    ("{x:int:min(3)?}", "/", {}),
    ("{x:int:min(3)?}", "/2", None),
]
ACCEPTED = [
    ("int", ["0", "-5", "+5", "2147483647"], ["2147483648", "1.0", "x", "1,000", "٣"]),
    ("long", ["9223372036854775807"], ["9223372036854775808", "1e3"]),
    ("bool", ["true", "FALSE"], ["1", "yes"]),
    (
        "datetime",
        ["2016-12-31", "2016-12-31T07:30:00Z", "12/31/2016 7:32 PM", "31 Dec 2016"],
        ["2016-13-01", "20161231"],
    ),
    ("decimal", ["49.99", "-1,000.01"], ["1e3", ".", "9" * 30]),
    ("double", ["1.234", "-1,001.01e8", "NaN"], ["1.2.3", "e5", "abc"]),
    ("float", ["3", ".5"], ["-", "0x1"]),
    ("guid", ["CD2C1638-1638-72D5-1638-DEADBEEF1638", "cd2c1638163872d51638deadbeef1638"], ["cd2c1638", "x" * 32]),
    ("alpha", ["Rick"], ["R2D2", "a-b", "é"]),
    ("length(4)", ["abcd"], ["abc", "abcde"]),
    ("length(2,4)", ["ab", "abcd"], ["a", "abcde"]),
    ("minlength(2)", ["ab"], ["a"]),
    ("maxlength(2)", ["ab"], ["abc"]),
    ("min(18)", ["18"], ["17", "x"]),
    ("max(120)", ["-1", "120"], ["121"]),
    ("range(18,120)", ["18", "120"], ["17", "121", "50.5"]),
    ("required", ["x"], []),
]


@pytest.mark.parametrize(("template", "path", "values"), MATCHES)
def test_template_matches(template, path, values):
    """A path gives exactly these route values, or is another route's."""
    assert parse(template).match(split_path(path)) == values


@pytest.mark.parametrize(("name", "good", "bad"), ACCEPTED, ids=[name for name, _, _ in ACCEPTED])
def test_constraint_accepts(name, good, bad):
    """Each constraint takes the values ASP.NET takes."""
    template = parse(f"{{x:{name}}}")

    assert [value for value in good if template.match([value]) is None] == []
    assert [value for value in bad if template.match([value]) is not None] == []


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{a}{b}", "two parameters need text between them"),
        ("{*a}/b", "must come last"),
        ("{a:colour}", "there is no constraint 'colour'"),
        ("{a:int(3)}", r"there is no constraint 'int\(3\)'"),
        ("{a:min}", "there is no constraint 'min'"),
        ("{a:min(x)}", "'x' should be one whole number"),
        ("{a:range(1)}", "'1' should be two whole numbers"),
        ("{a:regex([)}", "the expression '\\[' cannot be used"),
        ("{a", "braces must be balanced"),
        ("a//b", "slashes single"),
        ("{}", "'{}' is not a parameter"),
        ("{a}/{A}", "parameter 'a' appears more than once"),
        ("x{a?}", "must stand alone between slashes"),
        ("{a=1?}", "'a' is optional and cannot have a default"),
    ],
)
def test_bad_template_is_refused_with_the_reason(template, message):
    """The message quotes the route and says what is wrong with it."""
    with pytest.raises(StartError, match=message):
        parse(template)


@given(st.text(min_size=1).filter(lambda text: "/" not in text))
def test_any_encoded_segment_arrives_as_it_was(text):
    """Whatever a client encodes into one segment is the value of the parameter."""
    assert parse("x/{value}").match(split_path(f"/x/{quote(text, safe='')}")) == {"value": text}


@given(st.lists(st.text("abc/%2F{}?=:", max_size=5), max_size=4))
def test_any_path_is_answered_and_never_fails(parts):
    """No path makes matching fail."""
    template = parse("{a?}/{b:int=3}/{*rest}")

    values = template.match(split_path("/".join(parts)))

    assert values is None or set(values) <= {"a", "b", "rest"}

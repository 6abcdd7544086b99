"""What Redis refuses, in words of ours: its own may name users and keys, and be of any length."""

import re

_COMMANDS = "AUTH|CLIENT|DEL|EVALSHA|GET|HDEL|HGETALL|HSET|INFO|MGET|SCRIPT|SELECT|SET|TIME"
_NAMED = re.compile(rf"['`]({_COMMANDS})\b", re.IGNORECASE)

_MEANINGS = (
    ("unknown (redis )?command", "it has no {command}: it may have been renamed"),
    ("access (a|one of the) key", "its user may not use our keys (NOPERM)"),
    ("NOPERM|can't run this command|ACL failure", "its user may not run {command} (NOPERM)"),
    ("NOAUTH", "it wants a password (NOAUTH)"),
    ("WRONGPASS|invalid (username-)?password", "user or password are wrong (WRONGPASS)"),
    ("READONLY", "it follows another Redis, so it takes no writes (READONLY)"),
    ("OOM", "it is full (OOM)"),
    ("MISCONF", "it cannot save its data, so it takes no writes (MISCONF)"),
    ("LOADING", "it loads its data (LOADING)"),
    ("NOSCRIPT", "somebody has thrown our scripts away (NOSCRIPT)"),
)
"""What is found in Redis's words, of 6.2 to 8, and what it means; the first that is found."""

_EVICTS_ANYTHING = re.compile("allkeys(-[a-z]{1,9})?")


def in_our_words(refusal: str) -> str:
    """Return what an error of Redis means, for strangers; the log has all of it."""
    named = _NAMED.search(refusal)
    command = named[1].upper() if named else "a command of the scripts"
    for pattern, meaning in _MEANINGS:
        if re.search(pattern, refusal, re.IGNORECASE):
            return meaning.format(command=command)
    return "it refuses; the log says why"


def why_unfit(policy: str) -> str:
    """Return why a Redis with this ``maxmemory-policy`` cannot be used; nothing if it can."""
    found = _EVICTS_ANYTHING.match(policy)
    if found is None:
        return ""
    return (
        f"its maxmemory-policy is {found[0]}, which may evict the marks of open writes: "
        "volatile-ttl is the one to set"
    )

"""What the person at the keyboard has to know, and nothing more."""


class Problem(Exception):
    """Something the person who typed the command can put right. The message is one line, shown without a trace."""

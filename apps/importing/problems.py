"""What can go wrong: with a whole file, and with one row of it."""


class ImportProblem(Exception):
    """Nothing can be done with the file, the format or an option. The message is one line for whoever typed it."""


class Refused(Exception):
    """This row cannot go in. The message is the reason, as it stands in the report."""

"""The one exception for mistakes a user can make."""


class UserError(Exception):
    """A sentence that names the key or file, the value, what was expected and what to do.

    Commands print it without a traceback and exit with status 2.
    """

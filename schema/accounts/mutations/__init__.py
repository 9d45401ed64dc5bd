"""Leaving."""

from schema.accounts.mutations.delete_account import DeleteAccount


class AccountMutations:
    """Mixed into Mutation."""

    delete_account = DeleteAccount.Field()


__all__ = ["AccountMutations"]

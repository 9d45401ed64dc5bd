"""The account mutations."""

from schema.users.mutations.credentials import (
    ChangeEmail,
    ChangePassword,
    RequestPasswordReset,
    ResendVerification,
    ResetPassword,
    VerifyEmail,
)
from schema.users.mutations.profile import (
    BecomeHost,
    RemoveProfilePicture,
    SetUserRole,
    UpdateProfile,
    UploadProfilePicture,
)
from schema.users.mutations.session import EndSession, ExchangeToken, SignOut, SignUp
from schema.users.mutations.tokens import ObtainJSONWebToken, Refresh, Revoke, Verify, root_field


class UserMutations:
    """Mixed into Mutation."""

    sign_up = SignUp.Field()
    token_auth = root_field(ObtainJSONWebToken)
    verify_token = root_field(Verify)
    refresh_token = root_field(Refresh)
    revoke_token = root_field(Revoke)
    exchange_token = ExchangeToken.Field()
    sign_out = SignOut.Field()
    end_session = EndSession.Field()
    verify_email = VerifyEmail.Field()
    resend_verification = ResendVerification.Field()
    change_password = ChangePassword.Field()
    request_password_reset = RequestPasswordReset.Field()
    reset_password = ResetPassword.Field()
    change_email = ChangeEmail.Field()
    update_profile = UpdateProfile.Field()
    upload_profile_picture = UploadProfilePicture.Field()
    remove_profile_picture = RemoveProfilePicture.Field()
    become_host = BecomeHost.Field()
    set_user_role = SetUserRole.Field()


__all__ = ["UserMutations"]

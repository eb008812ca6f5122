#include "core/sasl/mechanism.h"

namespace epode::sasl {

std::string_view toText(Condition condition) {
    switch (condition) {
        case Condition::Aborted:
            return "aborted";
        case Condition::AccountDisabled:
            return "account-disabled";
        case Condition::CredentialsExpired:
            return "credentials-expired";
        case Condition::EncryptionRequired:
            return "encryption-required";
        case Condition::IncorrectEncoding:
            return "incorrect-encoding";
        case Condition::InvalidAuthzid:
            return "invalid-authzid";
        case Condition::InvalidMechanism:
            return "invalid-mechanism";
        case Condition::MalformedRequest:
            return "malformed-request";
        case Condition::MechanismTooWeak:
            return "mechanism-too-weak";
        case Condition::NotAuthorized:
            return "not-authorized";
        case Condition::TemporaryAuthFailure:
            return "temporary-auth-failure";
    }
    return "not-authorized";
}

}  // namespace epode::sasl

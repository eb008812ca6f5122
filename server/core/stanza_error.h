// Stanza errors (RFC 6120, 8.3): what we answer when we refuse.
#pragma once

#include "core/element.h"

#include <optional>
#include <string>
#include <string_view>

namespace epode {

// What the sender can do about it (RFC 6120, 8.3.2).
enum class ErrorType { Auth, Cancel, Continue, Modify, Wait };

// RFC 6120, 8.3.3.
enum class Condition {
    BadRequest,
    Conflict,
    FeatureNotImplemented,
    Forbidden,
    Gone,
    InternalServerError,
    ItemNotFound,
    JidMalformed,
    NotAcceptable,
    NotAllowed,
    NotAuthorized,
    PolicyViolation,
    RecipientUnavailable,
    Redirect,
    RegistrationRequired,
    RemoteServerNotFound,
    RemoteServerTimeout,
    ResourceConstraint,
    ServiceUnavailable,
    SubscriptionRequired,
    UndefinedCondition,
    UnexpectedRequest,
};

std::string_view toText(Condition condition);  // "bad-request"
std::string_view toText(ErrorType type);       // "modify"
ErrorType usualType(Condition condition);      // the type that RFC 6120 gives the condition

// Programs read the condition; `text` is one sentence for people.
struct StanzaError {
    ErrorType type = ErrorType::Cancel;
    Condition condition = Condition::UndefinedCondition;
    std::string text;
    // An application's own condition beside it (RFC 6120, 8.3.4): element name and namespace.
    std::string application = {};
    std::string applicationNs = {};
    std::string applicationFeature = {};  // its attribute 'feature' (XEP-0060: <unsupported/>)
    std::string content = {};  // character data of the condition (gone, redirect: an address)

    // With the usual type of its condition.
    StanzaError(Condition condition, std::string text);
    StanzaError(ErrorType type, Condition condition, std::string text);

    // Adds <error type='…'><condition/><text/></error> to a stanza's root; returns the error element.
    Element& addTo(Element& stanza) const;
    // Reads the <error/> child of a stanza of type error; nothing when there is none that is valid.
    static std::optional<StanzaError> read(const Element& stanza);
};

}  // namespace epode

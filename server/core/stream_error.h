// Stream errors (RFC 6120, 4.9): they end the stream.
#pragma once

#include <string>
#include <string_view>

namespace epode {

// RFC 6120, 4.9.3.
enum class StreamCondition {
    BadFormat,
    BadNamespacePrefix,
    Conflict,
    ConnectionTimeout,
    HostGone,
    HostUnknown,
    ImproperAddressing,
    InternalServerError,
    InvalidFrom,
    InvalidNamespace,
    InvalidXml,
    NotAuthorized,
    NotWellFormed,
    PolicyViolation,
    RemoteConnectionFailed,
    Reset,
    ResourceConstraint,
    RestrictedXml,
    SeeOtherHost,
    SystemShutdown,
    UndefinedCondition,
    UnsupportedEncoding,
    UnsupportedFeature,
    UnsupportedStanzaType,
    UnsupportedVersion,
};

std::string_view toText(StreamCondition condition);  // "not-well-formed"

struct StreamError {
    StreamCondition condition = StreamCondition::UndefinedCondition;
    std::string text = {};       // one sentence for people
    std::string extra = {};      // XML of an application's condition, written after the text
    std::string content = {};    // character data of the condition (see-other-host)

    // <stream:error>…</stream:error>
    std::string toXml() const;
};

}  // namespace epode

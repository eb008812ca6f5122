#include "core/stream_error.h"

#include "core/element.h"
#include "core/namespaces.h"

#include <array>

namespace epode {
namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, 25> names{
    "bad-format",
    "bad-namespace-prefix",
    "conflict",
    "connection-timeout",
    "host-gone",
    "host-unknown",
    "improper-addressing",
    "internal-server-error",
    "invalid-from",
    "invalid-namespace",
    "invalid-xml",
    "not-authorized",
    "not-well-formed",
    "policy-violation",
    "remote-connection-failed",
    "reset",
    "resource-constraint",
    "restricted-xml",
    "see-other-host",
    "system-shutdown",
    "undefined-condition",
    "unsupported-encoding",
    "unsupported-feature",
    "unsupported-stanza-type",
    "unsupported-version",
};
static_assert(std::size_t(StreamCondition::UnsupportedVersion) + 1 == names.size());

}  // namespace

std::string_view toText(StreamCondition condition) { return names[std::size_t(condition)]; }

std::string StreamError::toXml() const {
    const auto name = toText(condition);
    std::string out = "<stream:error><";
    out.append(name).append(" xmlns='").append(ns::streamErrors).append("'");
    if (content.empty()) {
        out += "/>";
    } else {
        out += '>';
        escapeText(out, content);
        out.append("</").append(name).append(">");
    }
    if (!text.empty()) {
        out.append("<text xmlns='").append(ns::streamErrors).append("' xml:lang='en'>");
        escapeText(out, text);
        out += "</text>";
    }
    return out.append(extra).append("</stream:error>");
}

}  // namespace epode

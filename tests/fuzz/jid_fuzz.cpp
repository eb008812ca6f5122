// Any bytes as an address and as its parts: what is accepted is a fixed point, keeps its limits,
// and is the same by the fast path and by the slow one.
#include "core/jid.h"
#include "core/precis.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

using namespace epode;

namespace {

void demand(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

using Prepare = std::optional<std::string> (*)(std::string_view);

void checkFixedPoint(Prepare prepare, std::string_view text, const char* what) {
    const auto prepared = prepare(text);
    if (!prepared) return;
    demand(!prepared->empty(), what);
    demand(prepare(*prepared) == prepared, what);
}

bool isAscii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0 && c < 0x7F; });
}

void checkAddress(std::string_view text) {
    const auto jid = Jid::parse(text);
    if (!jid) return;
    demand(!jid->domain().empty(), "an address has a domain");
    demand(jid->local().size() <= 1023 && jid->domain().size() <= 1023 &&
               jid->resource().size() <= 1023,
           "parts keep their limit");
    demand(Jid::parse(jid->text()) == jid, "an address is a fixed point");
    demand(Jid::make(jid->local(), jid->domain(), jid->resource()) == jid,
           "an address is made of its parts");
    std::string joined{jid->local()};
    if (jid->hasLocal()) joined += '@';
    joined += jid->domain();
    demand(jid->bareText() == joined && jid->bare().text() == joined, "the bare address");
    if (!jid->isBare()) joined.append("/").append(jid->resource());
    demand(jid->text() == joined, "the text is made of its parts");
    demand(jid->host().isDomain() && jid->host().text() == jid->domain(), "the host");
    demand(precis::codePoints(jid->text()).has_value(), "an address is UTF-8");
}

void checkFastPaths(std::string_view text) {
    if (text.empty() || text.size() > 1023 || !isAscii(text)) return;
    auto local = precis::usernameCaseMapped(text);
    if (text.find_first_of("\"&'/:<>@") != std::string_view::npos) local.reset();
    demand(prepareLocal(text) == local, "localpart by both paths");
    auto resource = precis::opaqueString(text);
    demand(preparePassword(text) == resource, "password by both paths");
    if (text.starts_with(' ')) resource.reset();
    demand(prepareResource(text) == resource, "resourcepart by both paths");
}

void checkEscaping(std::string_view text) {
    std::string_view trimmed = text;
    while (trimmed.starts_with(' ')) trimmed.remove_prefix(1);
    while (trimmed.ends_with(' ')) trimmed.remove_suffix(1);
    const auto escaped = escapeLocal(text);
    demand(unescapeLocal(escaped) == trimmed, "escaping can be undone");
    demand(escaped.find_first_of(" \"&'/:<>@") == std::string::npos, "nothing forbidden is left");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    checkAddress(text);
    checkFastPaths(text);
    checkEscaping(text);
    checkFixedPoint(prepareLocal, text, "a localpart is a fixed point");
    checkFixedPoint(prepareDomain, text, "a domainpart is a fixed point");
    checkFixedPoint(prepareResource, text, "a resourcepart is a fixed point");
    checkFixedPoint(preparePassword, text, "a password is a fixed point");
    checkFixedPoint(precis::nickname, text, "a nickname is a fixed point");
    checkFixedPoint(precis::nicknameKey, text, "a nickname's key is a fixed point");
    return 0;
}

// Stream management as the client asks for it (XEP-0198); the state is the session's.
#include "core/namespaces.h"
#include "core/random.h"
#include "route/server.h"
#include "route/session.h"
#include "stream/client_login.h"
#include "stream/client_stream.h"
#include "stream/client_streams.h"

#include <charconv>

namespace epode {

void ClientStream::receiveManagement(const Element& element) {
    const std::string_view name = element.name();
    StreamManagement* sm = session_->sm();
    if (name == "enable") {
        enableManagement(element);
    } else if (name == "r" && sm) {
        session_->ackRequested();
    } else if (name == "a" && sm) {
        std::uint32_t h = 0;
        const std::string_view text = element.get("h");
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), h);
        if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
            end({.condition = StreamCondition::InvalidXml, .text = "The 'h' of <a/> is a number."});
            return;
        }
        acknowledge(*session_, h);
    } else {
        failManagement(Condition::UnexpectedRequest, "This can't be asked here.");
    }
}

void ClientStream::enableManagement(const Element& element) {
    if (session_->sm()) {
        failManagement(Condition::UnexpectedRequest, "Stream management is on already.");
        return;
    }
    writeXml(output(), *makeEnabled(*session_, element));
    wantFlush();
}

Document ClientStream::makeEnabled(Session& session, const Element& request) {
    const std::string_view asked = request.get("resume");
    const Duration wait = host_->limits().smResumeTimeout;
    const bool resumable = (asked == "true" || asked == "1") && wait.count() > 0;
    const StreamManagement& sm = session.enableSm(randomId(), resumable);
    Document enabled{"enabled", ns::streamManagement};
    enabled->set("id", sm.id());
    if (resumable) {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait).count();
        enabled->set("resume", "true").set("max", std::to_string(seconds));
    }
    return enabled;
}

void ClientStream::failManagement(Condition condition, std::string_view text) {
    std::string& out = output();
    out.append("<failed xmlns='urn:xmpp:sm:3'><").append(toText(condition));
    out.append(" xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
               "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>");
    escapeText(out, text);
    out.append("</text></failed>");
    wantFlush();
}

// False when the client acknowledges what it was never sent: then the stream is over.
bool ClientStream::acknowledge(Session& session, std::uint32_t h) {
    if (session.acknowledge(h)) return true;
    const std::string sent = std::to_string(session.sm()->sent());
    end({.condition = StreamCondition::UndefinedCondition,
         .text = "You acknowledged " + std::to_string(h) + " stanzas, but only " + sent +
                 " were sent to you.",
         .extra = "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='" + std::to_string(h) +
                  "' send-count='" + sent + "'/>"});
    return false;
}

}  // namespace epode

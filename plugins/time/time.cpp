// Entity Time (XEP-0202): the server's clock.
#include "core/time_format.h"
#include "plugin/plugin.h"

namespace epode {
namespace {

constexpr QName timeElement{"urn:xmpp:time", "time"};

class EntityTime final : public Plugin {
public:
    explicit EntityTime(PluginContext& context) {
        context.onIq(StanzaType::Get, timeElement, Addressee::Host, this, &EntityTime::answer);
        context.hostFeature(timeElement.ns);
    }

private:
    Task<Reply> answer(const Iq& iq) {
        Document time{timeElement.name, timeElement.ns};
        // The server speaks UTC; its time zone is nobody's business.
        time->addWithText("tzo", "+00:00");
        time->addWithText("utc", formatDateTime(iq.shard().executor().wallNow()));
        co_return Reply{std::move(time)};
    }
};

const PluginInfo info{
    .name = "time",
    .summary = "Tells the server's time",
    .implements = {{"XEP-0202", "2.0"}},
};

}  // namespace

DECLARE_PLUGIN(EntityTime, info)

}  // namespace epode

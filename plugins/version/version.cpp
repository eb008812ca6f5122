// Software Version (XEP-0092).
#include "core/version.h"
#include "plugin/plugin.h"

namespace epode {
namespace {

constexpr QName query{"jabber:iq:version", "query"};

const Option<bool> showVersion{
    .key = "version.show",
    .fallback = true,
    .help = "Whether the version number is told, not just the name.",
};

class Version final : public Plugin {
public:
    explicit Version(PluginContext& context) : showVersion_{context.value(showVersion)} {
        context.onIq(StanzaType::Get, query, Addressee::Host, this, &Version::answer);
        context.hostFeature(query.ns);
    }

private:
    Task<Reply> answer(const Iq& iq) {
        Document answer{query.name, query.ns};
        answer->addWithText("name", "Epode");
        answer->addWithText("version", showVersion_ ? version : "unknown");
        co_return Reply{std::move(answer)};
    }

    const bool showVersion_;
};

const PluginInfo info{
    .name = "version",
    .summary = "Tells the server's name and version",
    .implements = {{"XEP-0092", "1.1"}},
    .options = {&showVersion},
};

}  // namespace

DECLARE_PLUGIN(Version, info)

}  // namespace epode

// Rooms (XEP-0045): a service below each host, `conference.<host>`. service.h is the table of
// contents of its rules.
#include "commands.h"
#include "names.h"
#include "personal_data.h"
#include "service.h"

#include "core/namespaces.h"
#include "plugin/plugin.h"
#include "route/archive_request.h"

namespace epode::muc {
namespace {

constexpr QName infoElement{ns::discoInfo, "query"};
constexpr QName itemsElement{ns::discoItems, "query"};
constexpr QName pingElement{names::ping, "ping"};
constexpr QName adminElement{names::admin, "query"};
constexpr QName ownerElement{names::owner, "query"};
constexpr QName registerElement{names::registration, "query"};
constexpr QName vcardElement{names::vcard, "vCard"};
constexpr QName archiveElement{mam::ns, "query"};
constexpr QName metadataElement{mam::ns, "metadata"};
constexpr QName moderateElement{names::moderate, "moderate"};
constexpr QName fastenElement{names::fasten, "apply-to"};
constexpr QName commandElement{ns::commands, "command"};
constexpr QName searchElement{names::search, "search"};
constexpr QName channelsElement{names::channelSearch, "search"};
constexpr QName uniqueElement{names::unique, "unique"};

class Muc final : public Plugin {
public:
    explicit Muc(PluginContext& context) {
        const std::string& pattern = context.value(domainOption);
        if (pattern.empty()) return;
        ServedDomain& served = context.serve(pattern, this, &Muc::receive);
        service_ = std::make_shared<Service>(context.server(), context.host(), served.domain,
                                             Limits{*context.server().settings(), context.host()});
        served.disco.identities.push_back({"conference", "text", context.value(nameOption)});
        for (const auto feature :
             {names::muc, names::stableId, names::selfPing, names::occupantId, names::unique,
              names::search, names::channelSearch, names::activity, names::ping, ns::discoInfo,
              ns::discoItems, ns::rsm})
            served.disco.features.emplace_back(feature);

        const auto onDomain = [&](StanzaType type, QName element,
                                  Task<Reply> (Service::*handler)(const Iq&)) {
            context.onIq(type, element, Addressee::Domain, served, service_.get(), handler);
        };
        const auto onRoom = [&](StanzaType type, QName element,
                                Task<Reply> (Service::*handler)(const Iq&)) {
            context.onIq(type, element, Addressee::Below, served, service_.get(), handler);
        };
        onDomain(StanzaType::Get, infoElement, &Service::aboutService);
        onDomain(StanzaType::Get, itemsElement, &Service::roomsOfService);
        onDomain(StanzaType::Get, uniqueElement, &Service::uniqueName);
        context.onIq(StanzaType::Get, pingElement, Addressee::Domain, served, this, &Muc::ping);
        // Clients search with a get; the protocol's own text says so, too.
        onDomain(StanzaType::Get, searchElement, &Service::search);
        onDomain(StanzaType::Set, searchElement, &Service::search);
        onDomain(StanzaType::Get, channelsElement, &Service::searchChannels);

        onRoom(StanzaType::Get, infoElement, &Service::aboutRoom);
        onRoom(StanzaType::Get, itemsElement, &Service::itemsOfRoom);
        onRoom(StanzaType::Get, pingElement, &Service::pingRoom);
        onRoom(StanzaType::Get, adminElement, &Service::readLists);
        onRoom(StanzaType::Set, adminElement, &Service::changeLists);
        onRoom(StanzaType::Get, ownerElement, &Service::tellConfig);
        onRoom(StanzaType::Set, ownerElement, &Service::changeConfig);
        onRoom(StanzaType::Get, registerElement, &Service::tellRegistration);
        onRoom(StanzaType::Set, registerElement, &Service::registerNick);
        onRoom(StanzaType::Get, vcardElement, &Service::tellVcard);
        onRoom(StanzaType::Set, vcardElement, &Service::setVcard);
        onRoom(StanzaType::Get, archiveElement, &Service::tellArchiveForm);
        onRoom(StanzaType::Set, archiveElement, &Service::queryArchive);
        onRoom(StanzaType::Get, metadataElement, &Service::tellArchiveMetadata);
        onRoom(StanzaType::Set, moderateElement, &Service::moderate);
        onRoom(StanzaType::Set, fastenElement, &Service::moderateInOldWords);
        onRoom(StanzaType::Set, commandElement, &Service::command);

        context.on(&Services::accountRemoved, Phase::Act, this, &Muc::accountRemoved);
        context.inBackground(Duration{}, service_.get(), &Service::care);
        context.inBackground(std::chrono::minutes{1}, service_.get(), &Service::expire);
        context.inBackground(std::chrono::seconds{15}, service_.get(), &Service::watchTerms);
        registerService(context.server(), context.host(), service_);
    }

private:
    void receive(ServedStanza stanza) { service_->receive(std::move(stanza)); }
    Task<Reply> ping(const Iq&) { co_return Reply{}; }
    Verdict accountRemoved(AccountEvent& event) {
        service_->accountRemoved(event.account);
        return Verdict::Pass;
    }

    std::shared_ptr<Service> service_;
};

const PluginInfo pluginInfo{
    .name = "muc",
    .summary = "Rooms: chat of many people, with history, roles and moderation",
    .implements = {{"XEP-0045", "1.35.5", "tests/plugins/muc_entering_test.cpp"},
                   {"XEP-0313", "1.1.3", "tests/plugins/muc_archive_test.cpp"},
                   {"XEP-0317", "0.3.1", "tests/plugins/muc_hats_test.cpp"},
                   {"XEP-0410", "1.1.0", "tests/plugins/muc_features_test.cpp"},
                   {"XEP-0421", "1.0.1", "tests/plugins/muc_features_test.cpp"},
                   {"XEP-0425", "0.3.0", "tests/plugins/muc_archive_test.cpp"},
                   {"XEP-0433", "0.1.0", "tests/plugins/muc_listeners_test.cpp"},
                   {"XEP-0437", "0.2.0", "tests/plugins/muc_listeners_test.cpp"},
                   {"XEP-0452", "0.2.2", "tests/plugins/muc_listeners_test.cpp"},
                   {"XEP-0486", "0.1.0", "tests/plugins/muc_features_test.cpp"},
                   {"XEP-0500", "0.1.1", "tests/plugins/muc_features_test.cpp"}},
    .options = options(),
    .migrations = {Store::migrations().begin(), Store::migrations().end()},
    .commands = commands,
    .data = personalData(),
};

}  // namespace

DECLARE_PLUGIN(Muc, pluginInfo)

}  // namespace epode::muc

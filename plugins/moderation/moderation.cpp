// Moderation: rules for rooms that their owners set (words, links, floods, newcomers), limits for
// strangers, lists of blocked addresses, suspended accounts. moderator.h is the table of contents.
#include "commands.h"
#include "moderator.h"

#include "plugin/plugin.h"

namespace epode::moderation {
namespace {

class Moderation final : public Plugin {
public:
    explicit Moderation(PluginContext& context)
        : server_{context.server()},
          moderator_{
              std::make_shared<Moderator>(context.server(), context.host(),
                                          Policy{*context.server().settings(), context.host()})} {
        context.on(&Services::inRoom, Phase::Check, moderator_.get(), &Moderator::inRoom);
        context.on(&Services::incoming, Phase::Check, moderator_.get(), &Moderator::arrive);
        context.on(&Services::outgoing, Phase::Check, moderator_.get(), &Moderator::leave);
        if (!moderator_->published().empty())
            context.on(&Services::toHost, Phase::Act, moderator_.get(), &Moderator::toHost);
        for (auto& field : roomFields(moderator_->policy().rooms))
            context.roomField(std::move(field));
        if (moderator_->policy().links != Policy::Links::Pass)
            context.onAccountRead(&Moderation::read);
        context.inBackground(Duration{}, moderator_.get(), &Moderator::care);
        if (context.isFirstHost()) context.inBackground(Duration{}, this, &Moderation::endTerms);
        registerModerator(context.server(), context.host(), moderator_);
    }

private:
    static AccountSetup read(SqlConnection& connection, AccountId id) {
        auto peers = readKnown(connection, id);
        if (peers.empty()) return {};
        return [peers = std::move(peers)](Account& account) mutable {
            auto& known = account.state<Known>().peers;
            known.insert(std::make_move_iterator(peers.begin()),
                         std::make_move_iterator(peers.end()));
        };
    }
    Task<Duration> endTerms() { return endSuspensions(server_); }

    Server& server_;
    std::shared_ptr<Moderator> moderator_;
};

const PluginInfo pluginInfo{
    .name = "moderation",
    .summary = "Rules for rooms, limits for strangers, blocked addresses, suspended accounts",
    .options = options(),
    .migrations = BlockStore::migrations(),
    .accountTables = {knownTable()},
    .commands = commands,
};

}  // namespace

DECLARE_PLUGIN(Moderation, pluginInfo)

}  // namespace epode::moderation

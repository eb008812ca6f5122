#include "options.h"

namespace epode::moderation {

namespace {

// In one object that is made when it is first asked for: whoever declares the plugin may be made
// before the constants of this file.
struct Declared {
    Option<std::int64_t> messagesPerMinute{
        .key = "moderation.room_messages_per_minute",
        .fallback = 0,
        .range = {0, 10'000},
        .help =
            "The most messages of one occupant in a minute, in rooms whose owners don't say "
            "(0: any number). Moderators are free.",
    };
    Option<std::int64_t> joinsPerMinute{
        .key = "moderation.room_joins_per_minute",
        .fallback = 0,
        .range = {0, 10'000},
        .help =
            "How many who are no members may enter a room in a minute, in rooms whose owners "
            "don't say (0: any number).",
    };
    Option<std::int64_t> nickChangesPerMinute{
        .key = "moderation.room_nick_changes_per_minute",
        .fallback = 10,
        .range = {0, 10'000},
        .help =
            "How often an occupant may change the nickname in a minute (0: as often as he "
            "likes).",
    };
    Option<std::int64_t> newcomerSeconds{
        .key = "moderation.room_newcomer_seconds",
        .fallback = 0,
        .range = {0, 604'800},
        .help =
            "How many seconds somebody who is no member listens before he may speak, in rooms "
            "whose owners don't say.",
    };
    Option<std::int64_t> requestsTo{
        .key = "moderation.requests_per_hour_to_account",
        .fallback = 30,
        .range = {0, 100'000},
        .help =
            "How many strangers may ask an account for a subscription in an hour (0: any "
            "number).",
    };
    Option<std::int64_t> requestsFrom{
        .key = "moderation.requests_per_hour_from_address",
        .fallback = 60,
        .range = {0, 100'000},
        .help =
            "How many people one address may ask for a subscription in an hour (0: any "
            "number); for accounts of this server as for others.",
    };
    Option<std::int64_t> requestsOf{
        .key = "moderation.requests_per_hour_from_domain",
        .fallback = 300,
        .range = {0, 1'000'000},
        .help =
            "How many subscription requests to strangers one foreign domain may send in an "
            "hour (0: any number).",
    };
    Option<std::string> strangersLinks{
        .key = "moderation.strangers_links",
        .fallback = "remote",
        .choices = {"pass", "remote", "all"},
        .help =
            "From whom messages with links are refused while the account has never written to "
            "him and he is no contact: nobody (pass), strangers of other servers (remote), or "
            "all strangers.",
    };
    Option<std::int64_t> knownMax{
        .key = "moderation.known_per_account_max",
        .fallback = 500,
        .range = {10, 10'000},
        .help =
            "How many people an account has written to are remembered as no strangers, beside "
            "its contacts; the latest stay.",
    };
    Option<std::int64_t> blockedMax{
        .key = "moderation.blocked_max",
        .fallback = 100'000,
        .range = {1, 1'000'000},
        .help = "How many addresses and domains the operator may block.",
        .scope = Scope::Server,
    };
    Option<std::vector<std::string>> publishedLists{
        .key = "moderation.published_lists",
        .fallback = {},
        .help =
            "Lists of spammers that others publish: an address and a node of "
            "publish-subscribe, such as \"xmppbl.org/muc_bans_sha256\". Who is on one enters "
            "no room here, and no stranger on one writes to accounts.",
    };
};
const Declared& declared() {
    static const Declared all;
    return all;
}

Policy::Links linksOf(const std::string& text) {
    if (text == "pass") return Policy::Links::Pass;
    return text == "all" ? Policy::Links::All : Policy::Links::Remote;
}

}  // namespace

Policy::Policy(const Settings& settings, const std::string& host)
    : rooms{settings.get(declared().messagesPerMinute, host),
            settings.get(declared().joinsPerMinute, host),
            settings.get(declared().nickChangesPerMinute, host),
            settings.get(declared().newcomerSeconds, host)},
      requestsTo{settings.get(declared().requestsTo, host)},
      requestsFrom{settings.get(declared().requestsFrom, host)},
      requestsOf{settings.get(declared().requestsOf, host)},
      links{linksOf(settings.get(declared().strangersLinks, host))},
      knownMax{settings.get(declared().knownMax, host)},
      blockedMax{settings.get(declared().blockedMax, host)},
      publishedLists{settings.get(declared().publishedLists, host)} {}

std::vector<OptionRef> options() {
    const Declared& all = declared();
    return {&all.messagesPerMinute, &all.joinsPerMinute, &all.nickChangesPerMinute,
            &all.newcomerSeconds,   &all.requestsTo,     &all.requestsFrom,
            &all.requestsOf,        &all.strangersLinks, &all.knownMax,
            &all.blockedMax,        &all.publishedLists};
}

}  // namespace epode::moderation

#include "limits.h"

namespace epode::muc {

const Option<std::string> domainOption{
    .key = "muc.domain",
    .fallback = "conference.{host}",
    .help = "The domain of the rooms; {host} is the host's name. Empty for no rooms.",
};
const Option<std::string> nameOption{
    .key = "muc.name",
    .fallback = "Rooms",
    .help = "What the service is called in lists of services.",
};

namespace {

const Option<std::int64_t> nickBytesMax{
    .key = "muc.nick_bytes_max",
    .fallback = 256,
    .range = {8, 1023},
    .help = "The longest nickname in a room, in bytes.",
};
const Option<std::int64_t> subjectBytesMax{
    .key = "muc.subject_bytes_max",
    .fallback = 4096,
    .range = {0, 65536},
    .help = "The longest subject of a room, in bytes.",
};
const Option<std::int64_t> reasonBytesMax{
    .key = "muc.reason_bytes_max",
    .fallback = 1024,
    .range = {0, 16384},
    .help = "The longest reason for a kick, a ban or an invitation, in bytes.",
};
const Option<std::int64_t> nameBytesMax{
    .key = "muc.room_name_bytes_max",
    .fallback = 1024,
    .range = {16, 16384},
    .help = "The longest name of a room and each other text of its configuration, in bytes.",
};
const Option<std::int64_t> affiliationsMax{
    .key = "muc.affiliations_max",
    .fallback = 100'000,
    .range = {10, 1'000'000},
    .help = "The most people whose affiliation a room keeps: owners, admins, members, banned.",
};
const Option<std::int64_t> roomsMax{
    .key = "muc.rooms_per_account_max",
    .fallback = 100,
    .range = {0, 1'000'000},
    .help = "The most rooms that one account may have created and that still exist.",
};
const Option<std::int64_t> occupantsMax{
    .key = "muc.occupants_max",
    .fallback = 5000,
    .range = {2, 100'000},
    .help = "The most occupants that any room has; owners may set less for their rooms.",
};
const Option<std::int64_t> historyMax{
    .key = "muc.history_messages_max",
    .fallback = 50,
    .range = {0, 1000},
    .help =
        "The most messages that somebody who enters a room is sent. What is older is in the "
        "room's archive.",
};
const Option<Bytes> vcardBytesMax{
    .key = "muc.vcard_bytes_max",
    .fallback = 64_KiB,
    .range = {Bytes{0}, 1_MiB},
    .help = "The largest vCard, with its picture, that a room may have.",
};
const Option<std::int64_t> pageMax{
    .key = "muc.page_max",
    .fallback = 100,
    .range = {1, 1000},
    .help =
        "The most rooms in one answer about what rooms there are, and the most messages in one "
        "page of a room's archive.",
};
const Option<std::int64_t> listItemsMax{
    .key = "muc.list_items_max",
    .fallback = 2000,
    .range = {100, 100'000},
    .help =
        "The most people in one answer about who is owner, admin, member or banned. Of a longer "
        "list the first ones are told, and how many there are; the rest comes in pages.",
};
const Option<std::int64_t> actionsPerMinute{
    .key = "muc.actions_per_minute",
    .fallback = 60,
    .range = {0, 100'000},
    .help =
        "How often in a minute one person may enter a room, change status or nickname in it, or "
        "invite somebody to it. 0: any number. Of its admins and owners, only invitations are "
        "counted.",
};
const Option<Bytes> presenceBytesMax{
    .key = "muc.presence_bytes_max",
    .fallback = 16_KiB,
    .range = {1_KiB, 256_KiB},
    .help = "The largest presence that a room passes on to all occupants.",
};
const Option<std::int64_t> auditDays{
    .key = "muc.audit_days",
    .fallback = 365,
    .range = {1, 36500},
    .help = "For how many days it is kept what moderators did in rooms, to whom and why.",
};
const Option<bool> refusesConfusable{
    .key = "muc.refuse_confusable_nicks",
    .fallback = false,
    .help =
        "Whether a nickname is refused when it looks like that of somebody else who is in the "
        "room (letters of other scripts that look the same).",
};
const Option<std::string> creators{
    .key = "muc.creators",
    .fallback = "accounts",
    .choices = {"accounts", "everybody", "nobody"},
    .help = "Who may create rooms: accounts of this server, everybody, or nobody but the operator.",
};
const Option<std::string> preset{
    .key = "muc.default_preset",
    .fallback = "plain",
    .choices = {"team", "public", "announcement", "plain"},
    .help =
        "How a room is that somebody makes by entering it: 'team' (private, members invite "
        "others, addresses are shown, lasting), 'public' (listed, open, lasting), "
        "'announcement' (listed, only moderators speak, lasting), or 'plain' (open, unlisted, "
        "gone when the last occupant has left).",
};

const Option<bool> archivesNew{
    .key = "muc.archive",
    .fallback = true,
    .help =
        "Whether new rooms keep their messages in an archive that occupants can read. Owners "
        "may change it for their rooms.",
};

}  // namespace

Limits::Limits(const Settings& settings, const std::string& host)
    : nickBytesMax{std::size_t(settings.get(muc::nickBytesMax, host))},
      subjectBytesMax{std::size_t(settings.get(muc::subjectBytesMax, host))},
      reasonBytesMax{std::size_t(settings.get(muc::reasonBytesMax, host))},
      nameBytesMax{std::size_t(settings.get(muc::nameBytesMax, host))},
      affiliationsMax{std::size_t(settings.get(muc::affiliationsMax, host))},
      roomsMax{settings.get(muc::roomsMax, host)},
      occupantsMax{std::size_t(settings.get(muc::occupantsMax, host))},
      historyMax{std::size_t(settings.get(muc::historyMax, host))},
      vcardBytesMax{std::size_t(settings.get(muc::vcardBytesMax, host))},
      pageMax{std::size_t(settings.get(muc::pageMax, host))},
      listItemsMax{std::size_t(settings.get(muc::listItemsMax, host))},
      actionsPerMinute{settings.get(muc::actionsPerMinute, host)},
      presenceBytesMax{std::size_t(settings.get(muc::presenceBytesMax, host))},
      auditDays{settings.get(muc::auditDays, host)},
      refusesConfusable{settings.get(muc::refusesConfusable, host)},
      archivesNew{settings.get(muc::archivesNew, host)},
      creators{settings.get(muc::creators, host)},
      preset{settings.get(muc::preset, host)} {}

std::vector<OptionRef> options() {
    return {&domainOption,   &nameOption,       &nickBytesMax,     &subjectBytesMax,
            &reasonBytesMax, &nameBytesMax,     &affiliationsMax,  &roomsMax,
            &occupantsMax,   &historyMax,       &vcardBytesMax,    &pageMax,
            &listItemsMax,   &actionsPerMinute, &presenceBytesMax, &refusesConfusable,
            &archivesNew,    &creators,         &preset,           &auditDays};
}

}  // namespace epode::muc

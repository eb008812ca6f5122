#include "commands.h"

#include "service.h"

#include "core/time_format.h"

#include <algorithm>
#include <utility>

namespace epode::muc {

namespace {

std::shared_ptr<Service> serviceOf(Server& server, const std::string& host) {
    return server.parts().find<Service>(host);
}

const Argument room{.name = "room",
                    .help = "Its address, or its name alone: garden@conference.capulet.example"};
const Argument host{.name = "host",
                    .kind = ArgumentKind::Host,
                    .presence = Presence::Optional,
                    .form = Form::Option,
                    .help = "The host whose rooms these are; the first one without it"};

CommandResult noService(const std::string& ofHost) {
    return CommandResult::refusal("not-found", "The host " + ofHost + " has no rooms.",
                                  "The plugin muc and the option muc.domain give it some.");
}
CommandResult noSuchRoomHere(const Jid& address) {
    return CommandResult::refusal("not-found", "There is no room " + address.text() + ".",
                                  "`epodectl room list` shows the rooms.");
}
CommandResult badAddress() {
    return CommandResult::refusal("invalid", "This is no address of a room of this server.");
}
CommandResult refused(const StanzaError& error, const Jid& address) {
    if (error.condition == Condition::ItemNotFound) return noSuchRoomHere(address);
    if (error.condition == Condition::Conflict) return CommandResult::refusal("exists", error.text);
    return CommandResult::refusal("failed", error.text);
}

struct RoomCommands {
    explicit RoomCommands(Server& s) : server{s} {}

    std::string hostOf(const CommandCall& call) const {
        if (call.has("host")) return call.text("host");
        return server.hosts().front();
    }
    // The service and the address, or what is wrong.
    struct Target {
        std::shared_ptr<Service> service;
        Jid address;
        std::optional<CommandResult> problem;
    };
    Target target(const CommandCall& call) const {
        Target found;
        const std::string& text = call.text("room");
        if (text.find('@') == std::string::npos) {
            const std::string own = hostOf(call);
            found.service = serviceOf(server, own);
            if (!found.service) {
                found.problem = noService(own);
                return found;
            }
            const auto address = Jid::make(text, found.service->domain());
            if (address) found.address = *address;
        } else if (const auto address = Jid::parse(text)) {
            for (const auto& each : server.hosts()) {
                const auto service = serviceOf(server, each);
                if (!service || address->domain() != service->domain()) continue;
                found.service = service;
                found.address = address->bare();
            }
        }
        if (found.address.empty()) found.problem = badAddress();
        return found;
    }

    Task<CommandResult> create(CommandCall& call) {
        auto at = target(call);
        if (at.problem) co_return std::move(*at.problem);
        Service::NewRoom made{.address = at.address, .config = {}, .owners = call.jids("owner")};
        made.config = presetConfig(call.has("preset") ? call.text("preset") : "team");
        // What the operator makes stays.
        made.config.isPersistent = true;
        made.config.isArchived = at.service->limits().archivesNew;
        if (call.has("name")) made.config.name = call.text("name");
        if (call.has("description")) made.config.description = call.text("description");
        if (made.config.name.size() > at.service->limits().nameBytesMax ||
            made.config.description.size() > at.service->limits().nameBytesMax)
            co_return CommandResult::refusal("invalid", "The name or the description is too long.");
        const auto refusal = co_await at.service->createRoom(std::move(made));
        if (refusal) co_return refused(*refusal, at.address);
        co_return CommandResult::message("The room " + at.address.text() + " was made.");
    }

    Task<CommandResult> list(CommandCall& call) {
        const std::string own = hostOf(call);
        const auto service = serviceOf(server, own);
        if (!service) co_return noService(own);
        Store::Listing listing{.domain = service->domain(), .isEverything = true};
        if (call.has("matching")) listing.matching = call.text("matching");
        listing.most = 1'000'000;
        const auto listed = co_await service->store().list(std::move(listing));
        auto result = CommandResult::table({"room", "name", "occupants", "people", "public",
                                            "members-only", "persistent", "creator"});
        for (const RoomSummary& each : listed.rooms)
            result.row({each.name, each.config.name, each.occupants, each.affiliations,
                        each.config.isPublic, each.config.isMembersOnly, each.config.isPersistent,
                        each.creator});
        co_return result;
    }

    Task<CommandResult> show(CommandCall& call) {
        auto at = target(call);
        if (at.problem) co_return std::move(*at.problem);
        const auto seen = co_await at.service->look(at.address);
        if (!seen) co_return noSuchRoomHere(at.address);
        auto result = CommandResult::table({"person", "affiliation", "nick", "role"});
        result.fact("room", seen->address.text());
        result.fact("name", seen->config.name);
        result.fact("description", seen->config.description);
        result.fact("subject", seen->subject);
        result.fact("created", formatDateTime(seen->created));
        result.fact("creator", seen->creator);
        result.fact("public", seen->config.isPublic);
        result.fact("members-only", seen->config.isMembersOnly);
        result.fact("moderated", seen->config.isModerated);
        result.fact("password", seen->config.isPasswordProtected);
        result.fact("persistent", seen->config.isPersistent);
        result.fact("archived", seen->config.isArchived);
        result.fact("retention-days", seen->config.retentionDays);
        auto people = seen->affiliations;
        std::sort(people.begin(), people.end(),
                  [](const auto& a, const auto& b) { return a.first < b.first; });
        for (const auto& [jid, entry] : people)
            result.row({jid.text(), std::string{toText(entry.affiliation)}, entry.nick, ""});
        for (const auto& person : seen->occupants)
            result.row({person.jid.text(), "", person.nick, std::string{toText(person.role)}});
        co_return result;
    }

    Task<CommandResult> destroy(CommandCall& call) {
        auto at = target(call);
        if (at.problem) co_return std::move(*at.problem);
        std::string reason = call.has("reason") ? call.text("reason") : std::string{};
        const auto refusal = co_await at.service->destroyRoom(at.address, std::move(reason));
        if (refusal) co_return refused(*refusal, at.address);
        co_return CommandResult::message("The room " + at.address.text() + " was destroyed.");
    }

    Task<CommandResult> setMember(CommandCall& call) {
        auto at = target(call);
        if (at.problem) co_return std::move(*at.problem);
        const auto affiliation = parseAffiliation(call.text("affiliation"));
        const Jid person = call.jid("address").bare();
        std::string by = actorOf(call);
        const auto refusal =
            co_await at.service->setMember(at.address, person, *affiliation, std::move(by));
        if (refusal) co_return refused(*refusal, at.address);
        co_return CommandResult::message(person.text() + " is " + call.text("affiliation") +
                                         " of " + at.address.text() + ".");
    }

    // ---- moderation
    Task<CommandResult> carryOut(CommandCall& call, Order::What what, std::string_view done) {
        auto at = target(call);
        if (at.problem) co_return std::move(*at.problem);
        Order order{.what = what};
        order.person = call.jid("address").bare();
        if (call.has("term")) order.term = call.duration("term");
        if (call.has("reason")) order.reason = call.text("reason");
        order.by = actorOf(call);
        const std::string who = order.person.text();
        const auto refusal = co_await at.service->order(at.address, std::move(order));
        if (refusal && refusal->condition == Condition::ItemNotFound)
            co_return CommandResult::refusal("not-found", refusal->text);
        if (refusal) co_return refused(*refusal, at.address);
        co_return CommandResult::message(who + " " + std::string{done} + " " + at.address.text() +
                                         ".");
    }
    Task<CommandResult> ban(CommandCall& call) {
        return carryOut(call, Order::What::Ban, "is banned from");
    }
    Task<CommandResult> unban(CommandCall& call) {
        return carryOut(call, Order::What::Unban, "is not banned any more from");
    }
    Task<CommandResult> mute(CommandCall& call) {
        return carryOut(call, Order::What::Mute, "is muted in");
    }
    Task<CommandResult> unmute(CommandCall& call) {
        return carryOut(call, Order::What::Unmute, "has his voice back in");
    }
    Task<CommandResult> kick(CommandCall& call) {
        return carryOut(call, Order::What::Kick, "was sent out of");
    }

    Task<CommandResult> lockdown(CommandCall& call) {
        auto at = target(call);
        if (at.problem) co_return std::move(*at.problem);
        const bool isOn = call.text("state") == "on";
        std::string reason = call.has("reason") ? call.text("reason") : std::string{};
        std::string by = actorOf(call);
        const auto refusal =
            co_await at.service->lockDown(at.address, isOn, std::move(by), std::move(reason));
        if (refusal) co_return refused(*refusal, at.address);
        co_return CommandResult::message(
            at.address.text() +
            (isOn ? " is locked down: only members enter and speak." : " is open as before."));
    }

    Task<CommandResult> audit(CommandCall& call) {
        auto at = target(call);
        if (at.problem) co_return std::move(*at.problem);
        Store::AuditWish wish{.room = at.address.text()};
        if (call.has("person")) wish.person = call.jid("person").bare().text();
        if (call.has("since"))
            wish.since =
                Executor::current()->wallNow() -
                std::chrono::duration_cast<std::chrono::milliseconds>(call.duration("since"));
        wish.most = call.has("limit") ? call.integer("limit") : 1000;
        const auto entries = co_await at.service->store().audit(std::move(wish));
        auto result =
            CommandResult::table({"at", "actor", "action", "target", "reason", "until", "details"});
        for (const AuditEntry& entry : entries)
            result.row({entry.at, entry.actor, entry.action, entry.target, entry.reason,
                        entry.until, entry.details});
        co_return result;
    }

    static std::string actorOf(const CommandCall& call) { return "operator " + call.caller().name; }

    Server& server;
};

}  // namespace

void registerService(Server& server, const std::string& ofHost,
                     const std::shared_ptr<Service>& service) {
    server.parts().put(ofHost, service);
}

std::vector<Command> commands(Server& server) {
    auto own = std::make_shared<RoomCommands>(server);
    const auto run = [own](Task<CommandResult> (RoomCommands::*handler)(CommandCall&)) {
        return [own, handler](CommandCall& call) { return ((*own).*handler)(call); };
    };
    const auto option = [](std::string name, std::string help) {
        return Argument{.name = std::move(name),
                        .presence = Presence::Optional,
                        .form = Form::Option,
                        .help = std::move(help)};
    };
    Argument preset = option("preset", "What kind of room it is; without it, team");
    preset.kind = ArgumentKind::Choice;
    preset.choices = {"team", "public", "announcement", "plain"};
    const Argument owners{
        .name = "owner", .kind = ArgumentKind::Jid, .repeats = Repeats::Yes, .help = "Who owns it"};
    const Argument person{
        .name = "address", .kind = ArgumentKind::Jid, .help = "Whose affiliation"};
    const Argument affiliation{.name = "affiliation",
                               .kind = ArgumentKind::Choice,
                               .choices = {"owner", "admin", "member", "none", "outcast"},
                               .help = "What he becomes"};
    const Argument whom{.name = "address",
                        .kind = ArgumentKind::Jid,
                        .help = "Whom; an address, or a domain for all of its people"};
    Argument term = option("term", "For how long; without it, for good");
    term.kind = ArgumentKind::Duration;
    const Argument state{.name = "state",
                         .kind = ArgumentKind::Choice,
                         .choices = {"on", "off"},
                         .help = "Whether it is locked down"};
    Argument concerned = option("person", "Only what he did, or what was done to him");
    concerned.kind = ArgumentKind::Jid;
    Argument since = option("since", "Only what was done in this time");
    since.kind = ArgumentKind::Duration;
    Argument most = option("limit", "How many entries; without it, 1000");
    most.kind = ArgumentKind::Integer;
    most.least = 1;
    most.most = 100'000;
    return {
        {.name = "room create",
         .summary = "Makes a room",
         .details =
             "A room of the preset 'team' is private, and members invite others; 'public' is "
             "listed and open; in 'announcement' only moderators speak.",
         .arguments = {room, owners, preset, option("name", "What it is called"),
                       option("description", "What it is for"), host},
         .permission = Permission::Operate,
         .examples = {{"room create garden juliet@capulet.example", "for members only"},
                      {"room create news juliet@capulet.example --preset announcement", ""}},
         .run = run(&RoomCommands::create)},
        {.name = "room list",
         .summary = "Lists the rooms of a host",
         .arguments = {option("matching", "Only those with this in name or description"), host},
         .permission = Permission::Operate,
         .run = run(&RoomCommands::list)},
        {.name = "room show",
         .summary = "Shows a room, who belongs to it and who is in it",
         .arguments = {room, host},
         .permission = Permission::Operate,
         .run = run(&RoomCommands::show)},
        {.name = "room destroy",
         .summary = "Destroys a room with all that was said in it",
         .arguments = {room, option("reason", "What its occupants are told"), host},
         .permission = Permission::Operate,
         .danger = Danger::Dangerous,
         .run = run(&RoomCommands::destroy)},
        {.name = "room member set",
         .summary = "Gives somebody an affiliation with a room, or takes it",
         .arguments = {room, person, affiliation, host},
         .permission = Permission::Operate,
         .examples = {{"room member set garden romeo@montague.example member", ""}},
         .run = run(&RoomCommands::setMember)},
        {.name = "room ban",
         .summary = "Bans somebody, or a whole domain, from a room",
         .arguments = {room, whom, term, option("reason", "Why; he is told, and it is logged"),
                       host},
         .permission = Permission::Operate,
         .examples = {{"room ban garden tybalt@capulet.example --term 7d --reason \"duels\"", ""},
                      {"room ban garden spam.example", "everybody of this domain"}},
         .run = run(&RoomCommands::ban)},
        {.name = "room unban",
         .summary = "Ends a ban from a room",
         .arguments = {room, whom, host},
         .permission = Permission::Operate,
         .run = run(&RoomCommands::unban)},
        {.name = "room mute",
         .summary = "Takes somebody's voice in a room",
         .details = "He stays in the room and reads. It lasts when he leaves and comes again.",
         .arguments = {room, whom, term, option("reason", "Why; he is told, and it is logged"),
                       host},
         .permission = Permission::Operate,
         .examples = {{"room mute garden tybalt@capulet.example --term 1h", ""}},
         .run = run(&RoomCommands::mute)},
        {.name = "room unmute",
         .summary = "Gives somebody his voice back",
         .arguments = {room, whom, host},
         .permission = Permission::Operate,
         .run = run(&RoomCommands::unmute)},
        {.name = "room kick",
         .summary = "Sends somebody out of a room; he may come again",
         .arguments = {room, whom, option("reason", "Why; he is told, and it is logged"), host},
         .permission = Permission::Operate,
         .run = run(&RoomCommands::kick)},
        {.name = "room lockdown",
         .summary = "Lets nobody but members enter a room and speak in it, for the moment",
         .arguments = {room, state, option("reason", "Why; it is logged"), host},
         .permission = Permission::Operate,
         .run = run(&RoomCommands::lockdown)},
        {.name = "room audit",
         .summary = "Shows what moderators, rules and operators did in a room",
         .details =
             "The newest comes first. It tells of rooms that are gone, too. For programs: --json.",
         .arguments = {room, concerned, since, most, host},
         .permission = Permission::Operate,
         .examples = {{"room audit garden --since 7d", ""},
                      {"room audit garden --person tybalt@capulet.example", ""}},
         .run = run(&RoomCommands::audit)},
    };
}

}  // namespace epode::muc

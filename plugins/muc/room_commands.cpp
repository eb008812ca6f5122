// What admins and moderators do from a chat client (XEP-0050, on the room): ban and mute for a
// term, lock the room down, read its log. Each command is one form; nothing is kept between its two
// steps, so that nobody can leave anything open.
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/data_form.h"
#include "core/namespaces.h"
#include "core/time_format.h"

#include <algorithm>

namespace epode::muc {

struct Service::RoomCommand {
    enum class Kind : std::uint8_t {
        Order,
        LockDown,
        Audit,
        CreateHat,
        DestroyHat,
        WearHat,
        TakeHatOff,
        ListHats,
        ListWearers,
    };
    std::string_view node;
    std::string_view name;
    Kind kind = Kind::Order;
    Order::What what{};
    bool isForModerators = false;  // else for admins and owners
    bool hasTerm = false;
};

namespace {

constexpr std::string_view formType = "urn:epode:room:command";
constexpr std::int64_t auditRowsMax = 200;

StanzaError commandError(Condition condition, std::string_view element, std::string text) {
    StanzaError error{condition, std::move(text)};
    error.application = element;
    error.applicationNs = ns::commands;
    return error;
}

void addActions(Element& command) {
    command.add("actions").set("execute", "complete").add("complete");
}

}  // namespace

const std::vector<Service::RoomCommand>& Service::roomCommands() {
    using Kind = RoomCommand::Kind;
    using What = Order::What;
    static const std::vector<RoomCommand> all{
        {"urn:epode:room:kick", "Send somebody out", Kind::Order, What::Kick, true, false},
        {"urn:epode:room:mute", "Mute somebody", Kind::Order, What::Mute, true, true},
        {"urn:epode:room:unmute", "Give voice back", Kind::Order, What::Unmute, true, false},
        {"urn:epode:room:ban", "Ban somebody", Kind::Order, What::Ban, false, true},
        {"urn:epode:room:unban", "End a ban", Kind::Order, What::Unban, false, false},
        {"urn:epode:room:lockdown", "Lock the room down, or end that", Kind::LockDown, {}, true},
        {"urn:epode:room:audit", "Show what moderators did", Kind::Audit, {}, false},
        {"urn:xmpp:hats:commands:create", "Create or change a hat", Kind::CreateHat},
        {"urn:xmpp:hats:commands:destroy", "Destroy a hat", Kind::DestroyHat},
        {"urn:xmpp:hats:commands:assign", "Give somebody a hat", Kind::WearHat},
        {"urn:xmpp:hats:commands:unassign", "Take a hat from somebody", Kind::TakeHatOff},
        {"urn:xmpp:hats:commands:list", "List hats", Kind::ListHats, {}, true},
        {"urn:xmpp:hats:commands:list-assigned", "List who wears hats", Kind::ListWearers},
    };
    return all;
}

bool Service::mayUse(const RoomCommand& command, const Room& room, const Jid& client) const {
    if (room.affiliationOf(client.bare()) >= Affiliation::Admin) return true;
    if (!command.isForModerators) return false;
    const Occupant* own = room.byClient(client);
    return own && own->role == Role::Moderator;
}

// Discovery of commands (XEP-0050, 2.2); nothing when it was not asked about them.
std::optional<Reply> Service::aboutCommands(const Iq& iq, const Room& room) const {
    const std::string_view node = iq.payload().get("node");
    const bool isList = node == ns::commands;
    const auto& all = roomCommands();
    const auto wanted = std::find_if(all.begin(), all.end(),
                                     [&](const RoomCommand& each) { return each.node == node; });
    if (!isList && wanted == all.end()) return std::nullopt;
    Document query{"query", iq.payload().ns()};
    query->set("node", node);
    if (iq.payload().ns() == ns::discoItems) {
        if (isList)
            for (const RoomCommand& each : all)
                if (mayUse(each, room, iq.from()))
                    query->add("item")
                        .set("jid", room.address.text())
                        .set("node", each.node)
                        .set("name", each.name);
        return Reply{std::move(query)};
    }
    query->add("identity")
        .set("category", "automation")
        .set("type", isList ? "command-list" : "command-node")
        .set("name", isList ? "Commands" : wanted->name);
    if (!isList)
        for (const auto feature : {ns::commands, ns::dataForms})
            query->add("feature").set("var", feature);
    return Reply{std::move(query)};
}

Task<Reply> Service::command(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    const Element& request = iq.payload();
    const auto& all = roomCommands();
    const auto found = std::find_if(all.begin(), all.end(), [&](const RoomCommand& each) {
        return each.node == request.get("node");
    });
    if (found == all.end())
        co_return StanzaError{Condition::ItemNotFound, "There is no such command."};
    const RoomCommand& command = *found;
    if (!mayUse(command, *room, iq.from()))
        co_return StanzaError{ErrorType::Cancel, Condition::Forbidden,
                              "This command is not for you."};
    const std::string_view action = request.get("action");
    if (!action.empty() && action != "execute" && action != "complete" && action != "next" &&
        action != "cancel")
        co_return commandError(Condition::BadRequest, "bad-action",
                               "This command has one form: there is no such step.");
    Document answer{"command", ns::commands};
    answer->set("node", command.node);
    const std::string session = request.get("sessionid").empty()
                                    ? Uuid::at(iq.shard().executor().wallNow()).text()
                                    : std::string{request.get("sessionid")};
    answer->set("sessionid", session);
    if (action == "cancel") {
        answer->set("status", "canceled");
        co_return Reply{std::move(answer)};
    }

    const Element* x = request.child("x", ns::dataForms);
    if (command.kind >= RoomCommand::Kind::CreateHat) {
        const auto filled = x ? DataForm::read(*x) : std::nullopt;
        if (x && (!filled || filled->kind() != FormKind::Submit))
            co_return commandError(Condition::BadRequest, "bad-payload",
                                   "This is no filled-in form.");
        auto done = co_await runHats(iq, room, command, filled, answer);
        co_return std::move(done);
    }
    if (!x) {
        answer->set("status", "executing");
        addActions(*answer);
        DataForm form{FormKind::Form, formType};
        form.setTitle(command.name);
        if (command.kind == RoomCommand::Kind::LockDown) {
            form.setInstructions("While the room is locked down, only members enter and speak.");
            form.addBoolean("lockdown", !room->config.isLockedDown, "Locked down");
        } else {
            form.add({.var = "person",
                      .label = "Address, nickname, or a whole domain",
                      .isRequired = command.kind == RoomCommand::Kind::Order});
        }
        if (command.hasTerm)
            form.addText("term", "", "For how long, such as 30min, 12h or 7d (empty: for good)");
        if (command.kind != RoomCommand::Kind::Audit) form.addText("reason", "", "Reason");
        form.addTo(*answer);
        co_return Reply{std::move(answer)};
    }
    const auto form = DataForm::read(*x);
    if (!form || form->kind() != FormKind::Submit)
        co_return commandError(Condition::BadRequest, "bad-payload", "This is no filled-in form.");
    answer->set("status", "completed");
    if (command.kind == RoomCommand::Kind::Order) {
        auto done = co_await runOrder(iq, room, *form, command.what, answer);
        co_return std::move(done);
    }
    if (command.kind == RoomCommand::Kind::LockDown) {
        const auto isOn = form->boolean("lockdown");
        if (!isOn)
            co_return commandError(Condition::BadRequest, "bad-payload", "Say whether it is.");
        std::string by = iq.from().bare().text();
        std::string reason{form->text("reason")};
        const At at{iq.shard(), iq.host(), room};
        const auto refusal = co_await lockDownIn(at, *isOn, std::move(by), std::move(reason));
        if (refusal) co_return *refusal;
        answer
            ->addWithText("note",
                          *isOn ? "The room is locked down." : "The room is open as before.")
            .set("type", "info");
        co_return Reply{std::move(answer)};
    }
    Store::AuditWish wish{.room = room->address.text(), .most = auditRowsMax};
    if (const auto person = Jid::parse(form->text("person"))) {
        const Occupant* occupant = room->byNick(form->text("person"));
        wish.person = occupant ? occupant->bare.text() : person->bare().text();
    }
    const auto entries = co_await store_.audit(std::move(wish));
    DataForm table{FormKind::Result, formType};
    table.setTitle("What moderators did");
    std::vector<FormField> columns;
    const std::pair<const char*, const char*> names[] = {
        {"at", "When"},       {"actor", "Who"},   {"action", "What"},    {"target", "To whom"},
        {"reason", "Reason"}, {"until", "Until"}, {"details", "Details"}};
    for (const auto& [var, label] : names) columns.push_back({.var = var, .label = label});
    table.report(std::move(columns));
    for (const AuditEntry& entry : entries) {
        const std::string until = entry.until ? formatDateTime(*entry.until) : std::string{};
        table.addItem({{.var = "at", .values = {formatDateTime(entry.at)}},
                       {.var = "actor", .values = {entry.actor}},
                       {.var = "action", .values = {entry.action}},
                       {.var = "target", .values = {entry.target}},
                       {.var = "reason", .values = {entry.reason}},
                       {.var = "until", .values = {until}},
                       {.var = "details", .values = {entry.details}}});
    }
    table.addTo(*answer);
    co_return Reply{std::move(answer)};
}

namespace {

void addHatTable(Document& answer, const Room& room, bool withWearers) {
    DataForm table{FormKind::Result};
    table.setTitle(withWearers ? "Assigned Hats List" : "Hats List");
    std::vector<FormField> columns;
    if (withWearers) columns.push_back({.var = "hats#jid"});
    for (const char* var : {"hats#uri", "hats#title", "hats#hue"}) columns.push_back({.var = var});
    table.report(std::move(columns));
    const auto add = [&](const std::string& uri, const Hat& hat, const Jid* jid) {
        std::vector<FormField> cells;
        if (jid) cells.push_back({.var = "hats#jid", .values = {jid->text()}});
        cells.push_back({.var = "hats#uri", .values = {uri}});
        cells.push_back({.var = "hats#title", .values = {hat.title}});
        cells.push_back({.var = "hats#hue", .values = {hat.hue}});
        table.addItem(std::move(cells));
    };
    if (!withWearers)
        for (const auto& [uri, hat] : room.hats.all) add(uri, hat, nullptr);
    else
        for (const auto& [jid, worn] : room.hats.wearers)
            for (const auto& uri : worn)
                if (const auto hat = room.hats.all.find(uri); hat != room.hats.all.end())
                    add(uri, hat->second, &jid);
    table.addTo(*answer);
}

}  // namespace

Task<Reply> Service::runHats(const Iq& iq, RoomPtr room, const RoomCommand& command,
                             const std::optional<DataForm>& form, Document& answer) {
    using Kind = RoomCommand::Kind;
    const Kind kind = command.kind;
    answer->set("status", "completed");
    if (kind == Kind::ListHats || kind == Kind::ListWearers) {
        addHatTable(answer, *room, kind == Kind::ListWearers);
        co_return Reply{std::move(answer)};
    }
    if (!form) {
        answer->set("status", "executing");
        addActions(*answer);
        DataForm asked{FormKind::Form, "urn:xmpp:hats:commands"};
        asked.setTitle(command.name);
        if (kind == Kind::CreateHat) {
            asked.add({.var = "hats#title", .label = "Hat Title", .isRequired = true});
            asked.add({.var = "hats#uri", .label = "Hat URI", .isRequired = true});
            asked.addText("hats#hue", "", "Hat Hue");
        } else {
            if (kind != Kind::DestroyHat)
                asked.add({.var = "hats#jid",
                           .type = FieldType::JidSingle,
                           .label = "User Address",
                           .isRequired = true});
            FormField hats{.var = "hats#uri", .type = FieldType::ListSingle, .label = "The hat"};
            for (const auto& [uri, hat] : room->hats.all) hats.options.push_back({uri, hat.title});
            asked.add(std::move(hats));
        }
        asked.addTo(*answer);
        co_return Reply{std::move(answer)};
    }
    const At at{iq.shard(), iq.host(), room};
    std::string by = iq.from().bare().text();
    std::optional<StanzaError> refusal;
    if (kind == Kind::CreateHat) {
        auto done = co_await createHat(at, *form, std::move(by));
        refusal = std::move(done);
    } else if (kind == Kind::DestroyHat) {
        auto done = co_await destroyHat(at, *form, std::move(by));
        refusal = std::move(done);
    } else {
        auto done = co_await wearHat(at, *form, kind == Kind::WearHat, std::move(by));
        refusal = std::move(done);
    }
    if (refusal) co_return *refusal;
    co_return Reply{std::move(answer)};
}

Task<Reply> Service::runOrder(const Iq& iq, RoomPtr room, const DataForm& form, Order::What what,
                              Document& answer) {
    const std::string text{form.text("person")};
    const std::string term{form.text("term")};
    Order order{.what = what};
    // Somebody who is here is meant before an address that looks like his nickname.
    const Occupant* named = room->byNick(text);
    const auto address = Jid::parse(text);
    const bool isAddress = address && (address->hasLocal() || what != Order::What::Kick);
    if (named)
        order.person = named->bare;
    else if (isAddress && (address->hasLocal() || text.find('.') != std::string::npos))
        order.person = address->bare();
    else
        co_return noSuchOccupant();
    if (!term.empty()) {
        order.term = parseDuration(term);
        if (!order.term)
            co_return notAcceptable("A term is written like 30min, 12h or 7d; or is left out.");
    }
    order.reason = form.text("reason");
    const Jid bare = iq.from().bare();
    const Occupant* own = room->byClient(iq.from());
    order.by = bare.text();
    order.byNick = own ? own->nick : std::string{};
    const Affiliation affiliation = room->affiliationOf(bare);
    order.actor = Standing{affiliation, own ? own->role : Role::None};
    if (!own && affiliation >= Affiliation::Admin) order.actor->role = Role::Moderator;
    if (order.person == bare && (what == Order::What::Ban || what == Order::What::Mute))
        co_return conflict("You can't do this to yourself.");
    const At at{iq.shard(), iq.host(), room};
    const auto refusal = co_await carryOut(at, std::move(order));
    if (refusal) co_return *refusal;
    answer->addWithText("note", "Done.").set("type", "info");
    co_return Reply{std::move(answer)};
}

}  // namespace epode::muc

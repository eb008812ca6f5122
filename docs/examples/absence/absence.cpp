// Notes of absence: while an account has set one, everybody who writes to it is told once.
//
//     <iq type='set' id='1'><absence xmlns='urn:example:absence:0'>At the friar's until Monday</absence></iq>
//     <iq type='get' id='2'><absence xmlns='urn:example:absence:0'/></iq>
//
// An empty note ends the absence.
#include "plugin/plugin.h"
#include "store/keyed_store.h"

#include <set>

namespace epode {
namespace {

constexpr QName absence{"urn:example:absence:0", "absence"};
constexpr std::string_view noteKey = "note";

const Option<Bytes> noteBytesMax{
    .key = "absence.note_bytes_max",
    .fallback = 1_KiB,
    .range = {16_B, 16_KiB},
    .help = "The longest note of absence; a longer one is refused.",
};
const Option<std::int64_t> toldMax{
    .key = "absence.told_max",
    .fallback = 1000,
    .range = {1, 100000},
    .help = "How many addresses are told of one absence; others get no answer.",
};

// What is kept in memory with an account, for as long as that is loaded. The note itself is in the
// database; here is a copy, so that a message waits for nothing.
struct AbsenceState {
    std::optional<std::string> note;  // nothing: not looked at yet
    std::set<std::string> told;
    bool isLoading = false;
};

class Absence final : public Plugin {
public:
    explicit Absence(PluginContext& context)
        : server_{context.server()},
          store_{context.server().database(), "absence"},
          noteBytesMax_{context.value(noteBytesMax)},
          toldMax_{std::size_t(context.value(toldMax))} {
        context.onIq(StanzaType::Get, absence, Addressee::Account, this, &Absence::tell);
        context.onIq(StanzaType::Set, absence, Addressee::Account, this, &Absence::set);
        context.on(&Services::incoming, Phase::Act, this, &Absence::incoming);
        context.accountFeature(absence.ns);
    }

private:
    Task<Reply> tell(const Iq& iq);
    Task<Reply> set(const Iq& iq);
    Verdict incoming(IncomingEvent& event);
    void load(Account& account);
    void answer(Account& account, AbsenceState& state, const Stanza& message);

    Server& server_;
    KeyedStore store_;
    const std::uint64_t noteBytesMax_;
    const std::size_t toldMax_;
};

StanzaError foreign() {
    return {Condition::Forbidden, "A note of absence belongs to its account."};
}

Task<Reply> Absence::tell(const Iq& iq) {
    if (!iq.isToOwnAccount()) co_return foreign();
    std::string key{noteKey};
    const auto note = co_await store_.get(iq.account()->id(), std::move(key));
    Document reply{absence.name, absence.ns};
    if (note) reply->addText(*note);
    co_return Reply{std::move(reply)};
}

Task<Reply> Absence::set(const Iq& iq) {
    if (!iq.isToOwnAccount()) co_return foreign();
    std::string note{iq.payload().text()};
    if (note.size() > noteBytesMax_)
        co_return StanzaError{Condition::NotAcceptable,
                              "A note has at most " + toText(Bytes{noteBytesMax_}) + "."};
    std::string key{noteKey};
    const AccountId id = iq.account()->id();
    co_await store_.put(id, std::move(key), note);
    // After a wait the account is looked up again: it may have been unloaded meanwhile.
    if (Account* account = iq.account()) {
        auto& state = account->state<AbsenceState>();
        state.note = std::move(note);
        state.told.clear();
    }
    co_return Reply{};
}

// Hooks don't wait: what is not in memory yet is fetched beside.
Verdict Absence::incoming(IncomingEvent& event) {
    const Stanza& message = *event.stanza;
    const bool isForPeople = message.isMessage() && message.type() == StanzaType::Chat &&
                             !message.body().empty() && !message.from().empty();
    if (!isForPeople || message.from().bareText() == event.account.jid().text()) return Verdict::Pass;
    auto& state = event.account.state<AbsenceState>();
    if (!state.note)
        load(event.account);
    else
        answer(event.account, state, message);
    return Verdict::Pass;
}

// The message that made us look is answered by the next one: a note is no promise.
void Absence::load(Account& account) {
    auto& state = account.state<AbsenceState>();
    if (std::exchange(state.isLoading, true)) return;
    std::string key{noteKey};
    Shard& shard = account.shard();
    start(store_.get(account.id(), std::move(key)),
          [&shard, jid = account.jid()](std::optional<std::optional<std::string>> note,
                                        std::exception_ptr failure) {
              Account* account = shard.loaded(jid.text());
              if (!account) return;
              auto& state = account->state<AbsenceState>();
              state.isLoading = false;
              if (!failure && !state.note) state.note = note->value_or("");
          });
}

void Absence::answer(Account& account, AbsenceState& state, const Stanza& message) {
    if (state.note->empty() || state.told.size() >= toldMax_) return;
    if (!state.told.insert(std::string{message.from().bareText()}).second) return;
    Document reply{"message", "jabber:client"};
    reply->set("type", "chat").set("from", account.jid().text()).set("to", message.from().text());
    reply->addWithText("body", *state.note);
    reply->add("no-store", "urn:xmpp:hints");
    auto problem = Stanza::Problem::None;
    if (StanzaPtr stanza = Stanza::fromDocument(std::move(reply), {}, problem))
        server_.route(std::move(stanza));
}

// ---- epodectl absence show ADDRESS

Task<CommandResult> show(Server& server, CommandCall& call) {
    const std::string address = call.jid("address").bare().text();
    const auto account = co_await server.stores().accounts.find(address);
    if (!account) co_return CommandResult::refusal("not-found", "There is no account " + address + ".");
    KeyedStore store{server.database(), "absence"};
    std::string key{noteKey};
    const auto note = co_await store.get(*account, std::move(key));
    CommandResult result;
    result.fact("address", address);
    result.fact("note", note && !note->empty() ? Cell{*note} : Cell{});
    co_return result;
}

std::vector<Command> commands(Server& server) {
    std::vector<Command> all;
    all.push_back({.name = "absence show",
                   .summary = "Tells an account's note of absence",
                   .arguments = {{.name = "address", .kind = ArgumentKind::Jid, .help = "The account"}},
                   .permission = Permission::Operate,
                   .run = [&server](CommandCall& call) { return show(server, call); }});
    return all;
}

const PluginInfo info{
    .name = "absence",
    .summary = "Tells who writes to somebody that he is away",
    .options = {&noteBytesMax, &toldMax},
    .commands = commands,
    .byDefault = false,
};

}  // namespace

DECLARE_PLUGIN(Absence, info)

}  // namespace epode

// Ad-hoc commands (XEP-0050): what operators do with epodectl, and what plugins offer to users, in
// a chat client.
#include "administration.h"
#include "command_forms.h"
#include "command_sessions.h"
#include "core/commands.h"
#include "core/log.h"
#include "core/namespaces.h"
#include "long_call.h"
#include "operators.h"
#include "plugin/plugin.h"

#include <array>

namespace epode {
namespace {

using namespace adhoc;

const Log adhocLog{"plugin.adhoc"};

const Option<std::vector<std::string>> admins{
    .key = "commands.admins",
    .fallback = {},
    .help = "Addresses of those who may use every command of this server in their client.",
    .scope = Scope::Server,
};
const Option<std::vector<std::string>> operators{
    .key = "commands.operators",
    .fallback = {},
    .help =
        "Addresses of those who may look at everything and end sessions, and may not make or "
        "remove accounts.",
    .scope = Scope::Server,
};
const Option<std::vector<std::string>> hostAdmins{
    .key = "commands.host_admins",
    .fallback = {},
    .help =
        "Addresses of those who may administer the accounts of one host (XEP-0133), but not the "
        "server.",
};

const Option<Duration> sessionLifetime{
    .key = "commands.session_lifetime",
    .fallback = std::chrono::minutes{15},
    .range = {std::chrono::seconds{30}, std::chrono::hours{24}},
    .help = "How long somebody may take to fill in a form of a command.",
};
const Option<std::int64_t> sessionsMax{
    .key = "commands.sessions_max",
    .fallback = 1000,
    .range = {1, 100000},
    .help = "How many commands may be in the middle of their forms.",
};
const Option<std::int64_t> sessionsPerAccountMax{
    .key = "commands.sessions_per_account_max",
    .fallback = 10,
    .range = {1, 1000},
    .help = "How many of them one account may have.",
};
const Option<std::int64_t> rowsMax{
    .key = "commands.rows_max",
    .fallback = 500,
    .range = {1, 10000},
    .help = "How many rows of a table a client is sent.",
};

// After so long a client is told how far a command is, and asks again when it likes.
constexpr Duration answerWithin = std::chrono::seconds{5};

constexpr QName commandElement{ns::commands, "command"};

// One list for all that can be done here by somebody: what plugins offer, and what is declared for
// operators.
struct Offer {
    std::string node;
    std::string name;
};

enum class Action : std::uint8_t { Execute, Cancel, Prev, Next, Complete };

std::optional<Action> readAction(std::string_view text) {
    if (text.empty() || text == "execute") return Action::Execute;
    if (text == "cancel") return Action::Cancel;
    if (text == "prev") return Action::Prev;
    if (text == "next") return Action::Next;
    if (text == "complete") return Action::Complete;
    return std::nullopt;
}

StanzaError specific(Condition condition, std::string_view element, std::string text) {
    StanzaError error{condition, std::move(text)};
    error.application = element;
    error.applicationNs = ns::commands;
    return error;
}
StanzaError malformedAction() {
    return specific(Condition::BadRequest, "malformed-action", "There is no such action.");
}
StanzaError badAction() {
    return specific(Condition::BadRequest, "bad-action",
                    "This action is not allowed at this stage.");
}
StanzaError badPayload(std::string text) {
    return specific(Condition::BadRequest, "bad-payload", std::move(text));
}
StanzaError missingSession(CommandSessions::Missing missing) {
    if (missing == CommandSessions::Missing::NeverWas)
        return specific(Condition::BadRequest, "bad-sessionid",
                        "This session was not given to you.");
    auto error =
        specific(Condition::NotAllowed, "session-expired", "This session has ended; begin anew.");
    error.type = ErrorType::Cancel;
    return error;
}
StanzaError unknownNode() { return {Condition::ItemNotFound, "There is no such command."}; }
StanzaError forbidden() {
    return {ErrorType::Cancel, Condition::Forbidden, "This command is not for you."};
}
StanzaError tooMany() {
    return {ErrorType::Wait, Condition::ResourceConstraint,
            "Too many commands are being filled in; finish or cancel one of them."};
}

// The values that somebody gave before, for who goes back. Secrets are to be typed again.
DataForm filledIn(DataForm question, const DataForm& answer) {
    DataForm filled{question.kind()};
    filled.setTitle(question.title());
    filled.setInstructions(question.instructions());
    for (FormField field : question.fields()) {
        const FormField* given = answer.find(field.var);
        const bool isKept = given && field.type != FieldType::TextPrivate &&
                            field.type != FieldType::Hidden && field.type != FieldType::Fixed;
        if (isKept) field.values = given->values;
        filled.add(std::move(field));
    }
    return filled;
}

// XEP-0050, 3.5.1: a form of type cancel counts as one of type submit.
std::optional<DataForm> readAnswer(const Element& command) {
    const Element* x = command.child("x", ns::dataForms);
    if (!x) return std::nullopt;
    auto form = DataForm::read(*x);
    if (!form || (form->kind() != FormKind::Submit && form->kind() != FormKind::Cancel))
        return std::nullopt;
    DataForm answer{FormKind::Submit};
    for (const auto& field : form->fields()) answer.add(field);
    return answer;
}

class AdHoc final : public Plugin {
public:
    explicit AdHoc(PluginContext& context)
        : server_{context.server()},
          operators_{context.value(admins), context.value(operators), context.value(hostAdmins)},
          sessions_{{.most = std::size_t(context.value(sessionsMax)),
                     .perCallerMost = std::size_t(context.value(sessionsPerAccountMax)),
                     .lifetime = context.value(sessionLifetime)}},
          rowsMax_{std::size_t(context.value(rowsMax))},
          administration_{context, operators_, rowsMax_} {
        for (const auto addressee : {Addressee::Host, Addressee::Account}) {
            context.onIq(StanzaType::Set, commandElement, addressee, this, &AdHoc::receive);
            context.onDiscoNodes(addressee, this, &AdHoc::isNode, &AdHoc::discover);
        }
        context.offerPermissions(operators_);
        context.hostFeature(ns::commands);
        context.accountFeature(ns::commands);
    }

private:
    Task<Reply> receive(const Iq& iq);
    Task<Reply> begin(const Iq& iq, std::string node);
    Task<Reply> goOn(const Iq& iq, CommandSession session, Action action);
    Task<Reply> perform(const Iq& iq, CommandSession session, std::optional<DataForm> remembered);
    Task<AdHocReply> askForDeclared(const AdHocCall& call, CommandInfo command,
                                    std::shared_ptr<LongCall>& running);
    Task<Reply> await(const Iq& iq, CommandSession session);
    Reply answer(const Iq& iq, CommandSession session, AdHocReply reply,
                 std::optional<DataForm> remembered);

    bool isNode(const Iq& iq) const;
    Task<Reply> discover(const Iq& iq);
    std::vector<Offer> offersFor(const Iq& iq) const;
    const AdHocCommand* offered(const Iq& iq, std::string_view node) const;
    std::optional<CommandInfo> declared(const Iq& iq, std::string_view node) const;
    std::optional<StanzaError> problemWith(const Iq& iq, std::string_view node) const;

    Server& server_;
    Operators operators_;
    CommandSessions sessions_;
    const std::size_t rowsMax_;
    Administration administration_;
};

// ---- what there is

bool isFor(const AdHocCommand& command, const Iq& iq) {
    const bool isFitting = iq.isToHost()
                               ? command.addressee == Addressee::Host
                               : command.addressee == Addressee::Account && iq.isToOwnAccount();
    if (!isFitting) return false;
    if (command.isFor) return command.isFor(iq.from(), iq.host());
    return iq.from().hasLocal() && iq.from().domain() == iq.host().domain();
}

const AdHocCommand* AdHoc::offered(const Iq& iq, std::string_view node) const {
    const auto addressee = iq.isToHost() ? Addressee::Host : Addressee::Account;
    for (const auto& command : iq.host().services().adHocCommands)
        if (command.node == node && command.addressee == addressee) return &command;
    return nullptr;
}

std::optional<CommandInfo> AdHoc::declared(const Iq& iq, std::string_view node) const {
    if (!iq.isToHost() || !isNodeOfCommand(node) || !server_.commands()) return std::nullopt;
    for (auto& command : server_.commands()->list())
        if (nodeOf(command) == node) return std::move(command);
    return std::nullopt;
}

// Who is no operator learns nothing of what operators have, not even what it is called.
std::optional<StanzaError> AdHoc::problemWith(const Iq& iq, std::string_view node) const {
    if (const AdHocCommand* command = offered(iq, node)) {
        if (isFor(*command, iq)) return std::nullopt;
        return forbidden();
    }
    const auto permission = operators_.permission(iq.from());
    if (!permission && iq.isToHost() && isNodeOfCommand(node)) return forbidden();
    const auto command = declared(iq, node);
    if (!command) return unknownNode();
    if (*permission < command->permission) return forbidden();
    return std::nullopt;
}

std::vector<Offer> AdHoc::offersFor(const Iq& iq) const {
    std::vector<Offer> offers;
    for (const auto& command : iq.host().services().adHocCommands)
        if (isFor(command, iq)) offers.push_back({command.node, command.name});
    const auto permission = operators_.permission(iq.from());
    if (!permission || !iq.isToHost() || !server_.commands()) return offers;
    for (const auto& command : server_.commands()->list())
        if (*permission >= command.permission) offers.push_back({nodeOf(command), command.summary});
    return offers;
}

// Nobody learns from it whether an account exists.
bool AdHoc::isNode(const Iq& iq) const {
    const std::string_view node = iq.payload().get("node");
    if (!iq.isToHost()) return iq.isToOwnAccount() && (node == ns::commands || offered(iq, node));
    return node == ns::commands || isNodeOfCommand(node) || offered(iq, node);
}

Task<Reply> AdHoc::discover(const Iq& iq) {
    const std::string_view node = iq.payload().get("node");
    const bool isList = node == ns::commands;
    if (!isList) {
        if (const auto problem = problemWith(iq, node)) co_return *problem;
    }
    Document query{"query", iq.payload().ns()};
    query->set("node", node);
    if (iq.payload().ns() == ns::discoItems) {
        if (!isList) co_return Reply{std::move(query)};
        const std::string address =
            iq.isToHost() ? iq.host().domain() : std::string{iq.from().bareText()};
        for (const auto& offer : offersFor(iq))
            query->add("item").set("jid", address).set("node", offer.node).set("name", offer.name);
        co_return Reply{std::move(query)};
    }
    std::string name = "Commands";
    if (!isList) {
        const AdHocCommand* command = offered(iq, node);
        name = command ? command->name : declared(iq, node)->summary;
    }
    query->add("identity")
        .set("category", "automation")
        .set("type", isList ? "command-list" : "command-node")
        .set("name", name);
    for (const auto feature : {ns::commands, ns::dataForms})
        query->add("feature").set("var", feature);
    co_return Reply{std::move(query)};
}

// ---- a command's way

Task<Reply> AdHoc::receive(const Iq& iq) {
    const Element& command = iq.payload();
    if (!iq.isToHost() && !iq.isToOwnAccount())
        co_return StanzaError{Condition::ServiceUnavailable, "There is nobody here who answers."};
    std::string node{command.get("node")};
    if (node.empty())
        co_return StanzaError{Condition::BadRequest, "A command is named by its node."};
    const auto action = readAction(command.get("action"));
    if (!action) co_return malformedAction();
    if (const auto problem = problemWith(iq, node)) co_return *problem;
    const auto id = command.find("sessionid");
    if (!id) {
        if (*action != Action::Execute) co_return badAction();
        auto reply = co_await begin(iq, std::move(node));
        co_return reply;
    }
    auto taken = sessions_.take(*id, iq.from(), node, iq.shard().executor().now());
    if (const auto* missing = std::get_if<CommandSessions::Missing>(&taken))
        co_return missingSession(*missing);
    auto session = std::move(std::get<CommandSession>(taken));
    auto reply = co_await goOn(iq, std::move(session), *action);
    co_return reply;
}

Task<Reply> AdHoc::begin(const Iq& iq, std::string node) {
    if (!isNodeOfCommand(node))
        adhocLog.info("command", {{"node", node}, {"caller", iq.from().text()}});
    CommandSession session{
        .id = sessions_.newId(iq.from(), node), .caller = iq.from(), .node = std::move(node)};
    std::optional<DataForm> nothing;
    auto reply = co_await perform(iq, std::move(session), std::move(nothing));
    co_return reply;
}

Document commandElementFor(const CommandSession& session, std::string_view status) {
    Document command{commandElement.name, commandElement.ns};
    command->set("node", session.node).set("sessionid", session.id).set("status", status);
    command->set("lang", ns::xml, "en");
    return command;
}

Task<Reply> AdHoc::goOn(const Iq& iq, CommandSession session, Action action) {
    if (action == Action::Cancel) co_return Reply{commandElementFor(session, "canceled")};
    const SteadyTime now = iq.shard().executor().now();
    // What is refused leaves the session where it was.
    const auto refuse = [&](StanzaError error) {
        sessions_.put(std::move(session), now);
        return Reply{std::move(error)};
    };
    if (session.running) {
        if (action != Action::Execute && action != Action::Next) co_return refuse(badAction());
        auto reply = co_await await(iq, std::move(session));
        co_return reply;
    }
    if (action == Action::Prev) {
        if (session.answers.empty()) co_return refuse(badAction());
        std::optional<DataForm> remembered = std::move(session.answers.back());
        session.answers.pop_back();
        auto reply = co_await perform(iq, std::move(session), std::move(remembered));
        co_return reply;
    }
    if ((action == Action::Next && session.isLast) ||
        (action == Action::Complete && !session.isLast))
        co_return refuse(badAction());
    auto answer = readAnswer(iq.payload());
    if (!answer) co_return refuse(badPayload("Fill in the form."));
    if (const auto problem = session.question.problemWith(*answer))
        co_return refuse(badPayload(*problem));
    session.answers.push_back(std::move(*answer));
    std::optional<DataForm> nothing;
    auto reply = co_await perform(iq, std::move(session), std::move(nothing));
    co_return reply;
}

void addNotes(Element& command, const AdHocReply& reply) {
    for (const auto& note : reply.notes()) {
        constexpr std::array<std::string_view, 3> kinds{"info", "warn", "error"};
        command.addWithText("note", note.text).set("type", kinds.at(std::size_t(note.kind)));
    }
}

// The session is nobody else's while its command runs: who repeats himself meanwhile finds it gone.
Task<Reply> AdHoc::perform(const Iq& iq, CommandSession session,
                           std::optional<DataForm> remembered) {
    const AdHocCall call{iq.from(), iq.host(), iq.shard(), session.answers};
    Task<AdHocReply> asking;
    std::shared_ptr<LongCall> running;
    if (const AdHocCommand* command = offered(iq, session.node)) {
        asking = command->run(call);
    } else {
        auto info = declared(iq, session.node);
        if (!info) co_return unknownNode();
        asking = askForDeclared(call, std::move(*info), running);
    }
    auto reply = co_await asking;
    if (!running) co_return answer(iq, std::move(session), std::move(reply), std::move(remembered));
    session.running = std::move(running);
    auto outcome = co_await await(iq, std::move(session));
    co_return outcome;
}

// What the command says, or how far it is. Whoever cancels it, or never asks again, ends it as far
// as it lets itself be ended.
Task<Reply> AdHoc::await(const Iq& iq, CommandSession session) {
    const auto running = session.running;
    const bool isDone = co_await running->isDoneWithin(answerWithin);
    if (isDone) {
        const auto result = running->takeResult();
        if (result.isRefusal() && result.error().code == "usage")
            co_return badPayload(result.error().message);
        auto reply = replyFor(running->command(), result, rowsMax_);
        co_return answer(iq, std::move(session), std::move(reply), std::nullopt);
    }
    Document command = commandElementFor(session, "executing");
    command->add("actions").set("execute", "next").add("next");
    const auto progress = running->progress();
    command->addWithText("note", printable(progress ? toText(*progress) : "It is being done."))
        .set("type", "info");
    if (!sessions_.put(std::move(session), iq.shard().executor().now())) co_return tooMany();
    co_return Reply{std::move(command)};
}

Reply AdHoc::answer(const Iq& iq, CommandSession session, AdHocReply reply,
                    std::optional<DataForm> remembered) {
    if (reply.error()) return *reply.error();
    Document command = commandElementFor(session, reply.isQuestion() ? "executing" : "completed");
    if (reply.isQuestion()) {
        session.question = remembered ? filledIn(*reply.form(), *remembered) : *reply.form();
        session.isLast = reply.isLast();
        Element& actions = command->add("actions");
        actions.set("execute", reply.isLast() ? "complete" : "next");
        if (!session.answers.empty()) actions.add("prev");
        actions.add(reply.isLast() ? "complete" : "next");
    }
    addNotes(*command, reply);
    if (reply.form()) {
        Element& x = (reply.isQuestion() ? session.question : *reply.form()).addTo(*command);
        if (reply.extension()) reply.extension()(x);
    }
    if (reply.isQuestion() && !sessions_.put(std::move(session), iq.shard().executor().now()))
        return tooMany();
    return Reply{std::move(command)};
}

// A declared command has one question, its arguments, and a second one when it is dangerous. With
// these answered it begins: `running`.
Task<AdHocReply> AdHoc::askForDeclared(const AdHocCall& call, CommandInfo command,
                                       std::shared_ptr<LongCall>& running) {
    const bool hasArguments = !command.arguments.empty();
    const bool isDangerous = command.danger == Danger::Dangerous;
    const std::size_t questions = std::size_t(hasArguments) + std::size_t(isDangerous);
    const std::size_t answered = call.answers.size();
    const auto order =
        answered + 1 < questions ? AdHocReply::Order::MoreToCome : AdHocReply::Order::Last;
    if (answered < questions) {
        const bool asksForArguments = hasArguments && answered == 0;
        const DataForm nothing{FormKind::Submit};
        if (asksForArguments)
            co_return AdHocReply::ask(questionFor(command, server_.hosts()), order);
        co_return AdHocReply::ask(
            confirmationFor(command, hasArguments ? call.answers[0] : nothing), order);
    }
    if (isDangerous && !isConfirmed(call.answers.back())) {
        auto reply = AdHocReply::done();
        reply.note("Nothing was done.", AdHocNote::Kind::Warn);
        co_return reply;
    }
    const auto permission = operators_.permission(call.caller);
    if (!permission) co_return AdHocReply::failed(forbidden());
    RawArguments arguments;
    if (hasArguments) arguments = argumentsFrom(command, call.answers[0]);
    running = std::make_shared<LongCall>(server_, std::move(command), arguments, call.caller,
                                         *permission);
    co_return AdHocReply::done();
}

const PluginInfo info{
    .name = "adhoc",
    .summary =
        "Commands in chat clients: all that operators have, service administration, and what "
        "plugins offer",
    .implements = {{"XEP-0050", "1.3.0"}, {"XEP-0133", "1.3.1"}, {"XEP-0122", "1.0.2"}},
    .options = {&admins, &operators, &hostAdmins, &sessionLifetime, &sessionsMax,
                &sessionsPerAccountMax, &rowsMax},
};

}  // namespace

DECLARE_PLUGIN(AdHoc, info)

}  // namespace epode

// Blocking Command Reports (XEP-0377): what people report when they block somebody, kept with the
// messages as evidence, and told to whom the operator names.
#include "report_commands.h"
#include "report_request.h"
#include "report_store.h"

#include "core/forwarded.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "core/time_format.h"
#include "plugin/plugin.h"
#include "store/database.h"
#include "store/stores.h"

#include <algorithm>

namespace epode {
namespace {

const Log reportLog{"report"};

const Option<Bytes> textBytesMax{
    .key = "report.text_bytes_max",
    .fallback = 4_KiB,
    .range = {256_B, 64_KiB},
    .help = "How much of what a reporter says is kept.",
};
const Option<std::int64_t> messagesMax{
    .key = "report.messages_max",
    .fallback = 20,
    .range = {0, 200},
    .help = "How many reported messages are kept with a report.",
};
const Option<std::int64_t> openMax{
    .key = "report.open_per_account_max",
    .fallback = 50,
    .range = {1, 10000},
    .help = "How many open reports one account may have; more are not kept.",
};
const Option<Duration> keepFor{
    .key = "report.keep_for",
    .fallback = std::chrono::hours{24 * 365},
    .range = {std::chrono::hours{1}, std::chrono::hours{24 * 36500}},
    .help = "How long reports are kept with the messages in them.",
    .scope = Scope::Server,
};
const Option<std::vector<std::string>> forwardTo{
    .key = "report.forward_to",
    .fallback = {},
    .help = "Addresses that get each report as a message.",
};
const Option<bool> tellOrigin{
    .key = "report.tell_origin",
    .fallback = false,
    .help =
        "Whether a report is also sent to the server of who is reported, if the reporter agrees.",
};

Counter spamReports{"epode_reports_spam_total", "Reports of spam"};
Counter otherReports{"epode_reports_other_total", "Reports of abuse and for other reasons"};
Counter droppedReports{"epode_reports_dropped_total",
                       "Reports that were not kept: too many, or the database was away"};

constexpr std::int64_t expireStep = 100;
constexpr Duration expireEvery = std::chrono::hours{1};
constexpr Duration expireAgain = std::chrono::seconds{1};

// What a task needs to know of the account, which may be gone when it is done.
struct Case {
    AccountId account;
    Jid reporter;
    Jid reported;
    WallTime when;
    ReportRequest request;
};

class Reports final : public Plugin {
public:
    explicit Reports(PluginContext& context)
        : server_{context.server()},
          host_{context.host()},
          store_{context.server().database()},
          limits_{.textBytesMax = std::size_t(context.value(textBytesMax)),
                  .messagesMax = std::size_t(context.value(messagesMax))},
          openMax_{context.value(openMax)},
          keepFor_{context.value(keepFor)},
          tellsOrigin_{context.value(tellOrigin)} {
        for (const auto& text : context.value(forwardTo)) {
            if (auto jid = Jid::parse(text))
                forwardTo_.push_back(std::move(*jid));
            else
                reportLog.error("report.forward_to is no address", {{"address", text}});
        }
        context.on(&Services::blocked, Phase::Act, this, &Reports::receive);
        if (context.isFirstHost()) context.inBackground(expireAgain, this, &Reports::expire);
        context.hostFeature(reportingNs);
    }

private:
    Verdict receive(BlockedEvent& event);
    Task<bool> keep(Case told);
    Task<std::vector<ReportedMessage>> evidence(AccountId account, Jid reported,
                                                std::vector<Uuid> ids);
    void forward(const Report& report, const Jid& to, bool withReporter) const;
    Task<Duration> expire();

    Server& server_;
    const std::string host_;
    ReportStore store_;
    const ReportLimits limits_;
    const std::int64_t openMax_;
    const Duration keepFor_;
    const bool tellsOrigin_;
    std::vector<Jid> forwardTo_;
};

// The block holds whatever becomes of the report (XEP-0377, 6).
Verdict Reports::receive(BlockedEvent& event) {
    auto request = readReport(event.item, limits_);
    if (!request) return Verdict::Pass;
    Account& account = event.account;
    Case told{account.id(), account.jid(), event.blocked, account.shard().executor().wallNow(),
              std::move(*request)};
    start(keep(std::move(told)), [services = account.host().sharedServices()](
                                     std::optional<bool> isKept, std::exception_ptr failure) {
        if (!failure && *isKept) return;
        droppedReports.add();
        if (failure) reportLog.warning("a report could not be kept");
    });
    return Verdict::Pass;
}

Task<bool> Reports::keep(Case told) {
    Report report;
    report.host = host_;
    report.reporter = told.reporter.text();
    report.reported = told.reported.text();
    report.reason = told.request.reason;
    report.text = told.request.text;
    report.when = told.when;
    report.mayTellOrigin = told.request.mayTellOrigin;
    report.mayTellThirdParty = told.request.mayTellThirdParty;
    report.messages = co_await evidence(told.account, told.reported, told.request.messages);

    auto adding = store_.add(report, openMax_);
    const auto id = co_await adding;
    if (!id) co_return false;
    report.id = *id;
    (report.reason == "urn:xmpp:reporting:spam" ? spamReports : otherReports).add();
    reportLog.notice("a report was received",
                     {{"number", *id}, {"reported", report.reported}, {"reason", report.reason}});
    for (const Jid& to : forwardTo_) forward(report, to, true);
    const Jid origin = told.reported.host();
    if (tellsOrigin_ && report.mayTellOrigin && !server_.isLocal(origin.domain()))
        forward(report, origin, false);
    co_return true;
}

// Copies out of the reporter's own archive: nobody can report what he was not sent.
Task<std::vector<ReportedMessage>> Reports::evidence(AccountId account, Jid reported,
                                                     std::vector<Uuid> ids) {
    std::vector<ReportedMessage> messages;
    if (ids.empty()) co_return messages;
    // What was delivered a moment ago can be read only when it is committed.
    auto nothing = [](SqlConnection&) { return true; };
    const bool isSettled = co_await server_.database().write(nothing);
    (void)isSettled;
    for (const Uuid& id : ids) {
        ArchiveQuery query;
        query.account = account;
        query.ids.push_back(id);
        auto asking = server_.stores().archive.query(query);
        auto page = co_await asking;
        if (page.isIdUnknown || page.entries.empty()) continue;
        auto& entry = page.entries.front();
        const auto stanza = Stanza::parse(entry.stanza);
        if (!stanza || entry.flags.isOutgoing) continue;
        const Jid& from = stanza->from();
        const bool isMeant = from.bareText() == reported.bareText() ||
                             (!reported.hasLocal() && from.domain() == reported.domain());
        if (isMeant) messages.push_back({entry.stamp(), std::move(entry.stanza)});
    }
    co_return messages;
}

// As a message that people can read, with all of it for programs. Without the reporter nothing of
// it names him: his address is taken out of the messages, and no more (XEP-0377, 5).
void Reports::forward(const Report& report, const Jid& to, bool withReporter) const {
    auto message = Stanza::message(StanzaType::Normal, *Jid::parse(host_), to,
                                   "report-" + std::to_string(report.id));
    Element& root = message->edit();
    std::string body = report.reported + " was reported";
    if (withReporter) body += " by " + report.reporter;
    body += " (" + report.reason + ", " + std::to_string(report.messages.size()) + " messages)";
    if (!report.text.empty()) body += ": " + report.text;
    root.addWithText("body", body);
    Element& element = root.add("report", reportingNs);
    element.set("reason", report.reason);
    if (!report.text.empty()) element.addWithText("text", report.text);
    root.add("jid", "urn:xmpp:jid:0").addText(report.reported);
    for (const auto& copy : report.messages) {
        auto parsed = parseXml(copy.stanza);
        if (!parsed) continue;
        if (!withReporter) (*parsed)->unset("to");
        addForwarded(root, **parsed, copy.when);
    }
    server_.route(std::move(message));
}

Task<Duration> Reports::expire() {
    const WallTime before = Executor::current()->wallNow() -
                            std::chrono::duration_cast<std::chrono::milliseconds>(keepFor_);
    const std::int64_t deleted = co_await store_.expire(before, expireStep);
    co_return deleted == expireStep ? expireAgain : expireEvery;
}

const PluginInfo info{
    .name = "report",
    .summary = "Keeps what people report when they block somebody, for the operator",
    .implements = {{"XEP-0377", "0.4.1"}},
    .options = {&textBytesMax, &messagesMax, &openMax, &keepFor, &forwardTo, &tellOrigin},
    .migrations = ReportStore::migrations(),
    .commands = reportCommands,
};

}  // namespace

DECLARE_PLUGIN(Reports, info)

}  // namespace epode

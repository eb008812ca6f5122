#include "report_request.h"

#include "core/namespaces.h"

#include <algorithm>

namespace epode {

namespace {

constexpr std::string_view olderNs = "urn:xmpp:reporting:0";
constexpr std::string_view spam = "urn:xmpp:reporting:spam";
constexpr std::string_view abuse = "urn:xmpp:reporting:abuse";
constexpr std::size_t reasonBytesMax = 128;

// Not within a character.
std::string cut(std::string_view text, std::size_t bytesMax) {
    if (text.size() > bytesMax) {
        std::size_t end = bytesMax;
        while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
        text = text.substr(0, end);
    }
    return std::string{text};
}

const Element* olderReport(const Element& item) {
    if (const Element* report = item.child("report", olderNs)) return report;
    const Element* block = item.parent();
    if (!block) return nullptr;
    std::size_t items = 0;
    for (const Element& child : block->children()) items += child.is("item", block->ns());
    return items == 1 ? block->child("report", olderNs) : nullptr;
}

}  // namespace

std::optional<ReportRequest> readReport(const Element& item, const ReportLimits& limits) {
    const Element* report = item.child("report", reportingNs);
    ReportRequest request;
    if (report) {
        request.reason = report->get("reason");
    } else {
        report = olderReport(item);
        if (!report) return std::nullopt;
        if (report->child("spam", olderNs))
            request.reason = spam;
        else if (report->child("abuse", olderNs))
            request.reason = abuse;
    }
    if (request.reason.empty() || request.reason.size() > reasonBytesMax) return std::nullopt;
    request.text = cut(report->childText("text"), limits.textBytesMax);
    request.mayTellOrigin = report->child("report-origin") != nullptr;
    request.mayTellThirdParty = report->child("third-party") != nullptr;
    for (const Element& child : report->children()) {
        if (!child.is("stanza-id", ns::stanzaIds)) continue;
        if (request.messages.size() == limits.messagesMax) break;
        const auto id = Uuid::parse(child.get("id"));
        const auto& known = request.messages;
        if (id && std::find(known.begin(), known.end(), *id) == known.end())
            request.messages.push_back(*id);
    }
    return request;
}

}  // namespace epode

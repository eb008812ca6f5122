#include "route/archive_answer.h"

#include "core/forwarded.h"
#include "core/rsm.h"
#include "core/time_format.h"
#include "route/archive_request.h"

namespace epode::mam {

std::string resultHead(const std::optional<std::string>& queryId) {
    std::string head{"<result xmlns='urn:xmpp:mam:2'"};
    if (queryId) {
        head.append(" queryid='");
        escapeAttribute(head, *queryId);
        head.append("'");
    }
    head.append(" id='");
    return head;
}

void appendResult(std::string& out, std::string_view head, const ArchiveEntry& entry,
                  std::string_view stanza) {
    out.append(head);
    entry.id.appendTo(out);
    out.append("'>");
    beginForwarded(out, entry.stamp());
    out.append(stanza).append(forwardedEnd).append("</result>");
}

Document fin(const ArchivePage& page) {
    Document fin{"fin", ns};
    if (page.isComplete) fin->set("complete", "true");
    Page set;
    if (!page.entries.empty()) {
        set.first = page.entries.front().id.text();
        set.last = page.entries.back().id.text();
    }
    if (page.count) set.count = std::uint64_t(*page.count);
    if (page.firstIndex) set.index = std::uint64_t(*page.firstIndex);
    addPage(*fin, set);
    return fin;
}

void addMetadata(Element& answer, const std::optional<ArchiveMetadata>& range) {
    if (!range) return;
    const auto add = [&answer](std::string_view name, const Uuid& id) {
        answer.add(name).set("id", id.text()).set("timestamp", formatDateTime(id.stamp()));
    };
    add("start", range->first);
    add("end", range->last);
}

}  // namespace epode::mam

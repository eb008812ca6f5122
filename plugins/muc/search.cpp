// Finding rooms: the query that web clients use (muclumbus), and names that nobody has
// (muc#unique).
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/data_form.h"
#include "core/namespaces.h"
#include "core/rsm.h"

#include <algorithm>

namespace epode::muc {

Task<Reply> Service::search(const Iq& iq) {
    auto read = readPageRequest(iq.payload());
    if (const auto* error = std::get_if<StanzaError>(&read)) co_return *error;
    const auto& page = std::get<PageRequest>(read);
    const Element* x = iq.payload().child("x", ns::dataForms);
    const auto form = x ? DataForm::read(*x) : std::nullopt;
    if (x && (!form || form->formType() != names::searchParams))
        co_return badRequest("This is no form of a search.");
    Store::Listing listing{.domain = domain_};
    if (form) listing.matching = form->text("q");
    if (listing.matching.size() > limits_.nameBytesMax) co_return tooLong("text");
    listing.most =
        std::min<std::size_t>(page.max.value_or(std::uint32_t(limits_.pageMax)), limits_.pageMax);
    const auto after = page.after ? Jid::parse(*page.after) : std::nullopt;
    if (after) listing.after = after->local();
    const auto listed = co_await store_.list(std::move(listing));
    Document answer{"result", names::search};
    const auto addressOf = [this](const RoomSummary& room) { return room.name + "@" + domain_; };
    for (const RoomSummary& room : listed.rooms) {
        Element& item = answer->add("item").set("address", addressOf(room));
        item.addWithText("name", room.config.name.empty() ? room.name : room.config.name);
        if (!room.config.description.empty())
            item.addWithText("description", room.config.description);
        if (!room.config.lang.empty()) item.addWithText("language", room.config.lang);
        item.addWithText("nusers", std::to_string(room.occupants));
        item.addWithText("is-open", room.config.isMembersOnly || room.config.isPasswordProtected
                                        ? "false"
                                        : "true");
        item.addWithText("anonymity-mode", room.config.isNonAnonymous() ? "none" : "semi");
    }
    Page set;
    if (!listed.rooms.empty()) {
        set.first = addressOf(listed.rooms.front());
        set.last = addressOf(listed.rooms.back());
        set.index = std::uint64_t(listed.index);
    }
    set.count = std::uint64_t(listed.count);
    addPage(*answer, set);
    co_return Reply{std::move(answer)};
}

Task<Reply> Service::uniqueName(const Iq&) {
    Document answer{"unique", names::unique};
    answer->addText(Uuid::at(Executor::current()->wallNow()).text());
    co_return Reply{std::move(answer)};
}

}  // namespace epode::muc

#include "route/archive_request.h"

#include "core/data_form.h"
#include "core/jid.h"
#include "core/namespaces.h"
#include "core/rsm.h"
#include "core/time_format.h"

#include <algorithm>

namespace epode::mam {

namespace {

constexpr std::size_t pageFallback = 50;
constexpr std::size_t idsMax = 100;

StanzaError badRequest(std::string text) { return {Condition::BadRequest, std::move(text)}; }
StanzaError unknownId() {
    return {Condition::ItemNotFound, "An id of the query is not in the archive."};
}

// One field of the form into the query; what is wrong with it, or nothing.
std::optional<StanzaError> takeField(const DataForm& form, const FormField& field,
                                     ArchiveQuery& query) {
    const std::string_view value = form.text(field.var);
    if (field.var == "with") {
        const auto jid = Jid::parse(value);
        if (!jid)
            return StanzaError{Condition::JidMalformed, "The address in 'with' is not valid."};
        query.with = jid->text();
    } else if (field.var == "start" || field.var == "end") {
        const auto time = parseDateTime(value);
        if (!time)
            return badRequest("The time in '" + field.var + "' is no date and time of XEP-0082.");
        (field.var == "start" ? query.start : query.end) = *time;
    } else if (field.var == "after-id" || field.var == "before-id") {
        const auto id = Uuid::parse(value);
        if (!id) return unknownId();
        (field.var == "after-id" ? query.afterId : query.beforeId) = *id;
    } else if (field.var == "ids") {
        if (field.values.size() > idsMax) return badRequest("These are too many ids at once.");
        for (const auto& text : field.values) {
            const auto id = Uuid::parse(text);
            if (!id) return unknownId();
            query.ids.push_back(*id);
        }
    } else if (field.var != "FORM_TYPE") {
        return StanzaError{Condition::FeatureNotImplemented,
                           "The field '" + field.var + "' is unknown."};
    }
    return std::nullopt;
}

}  // namespace

std::variant<Request, StanzaError> readRequest(const Element& element, std::size_t pageMax) {
    Request request;
    if (const auto id = element.find("queryid")) request.queryId = std::string{*id};
    request.isFlipped = element.child("flip-page") != nullptr;

    if (const Element* x = element.child("x", ::epode::ns::dataForms)) {
        const auto form = DataForm::read(*x);
        if (!form || form->kind() != FormKind::Submit || form->formType() != ns)
            return badRequest("The form is no submission of FORM_TYPE urn:xmpp:mam:2.");
        for (const FormField& field : form->fields())
            if (auto problem = takeField(*form, field, request.query)) return *problem;
    }

    auto read = readPageRequest(element);
    if (const auto* error = std::get_if<StanzaError>(&read)) return *error;
    const auto& page = std::get<PageRequest>(read);
    request.query.most = std::min<std::size_t>(page.max.value_or(pageFallback), pageMax);
    request.query.isBackwards = page.isBackward();
    // Counting reads the whole selection: only who asks for nothing else gets it.
    request.query.wantsCount = page.max == 0u;
    if (page.index)
        return StanzaError{Condition::FeatureNotImplemented,
                           "Pages are asked for by ids, not by index."};
    for (const auto& [text, into] : {std::pair{&page.after, &request.query.after},
                                     std::pair{&page.before, &request.query.before}}) {
        if (!*text) continue;
        const auto id = Uuid::parse(**text);
        if (!id) return unknownId();
        *into = *id;
    }
    return request;
}

void addForm(Element& query) {
    DataForm form{FormKind::Form, ns};
    form.add({.var = "with", .type = FieldType::JidSingle});
    for (const char* name : {"start", "end", "before-id", "after-id"}) form.add({.var = name});
    form.add({.var = "ids", .type = FieldType::ListMulti});
    Element& x = form.addTo(query);
    // XEP-0122: any id may be given, not one of a list.
    for (Element& field : x.children())
        if (field.get("var") == "ids")
            field.add("validate", "http://jabber.org/protocol/xdata-validate")
                .set("datatype", "xs:string")
                .add("open");
}

}  // namespace epode::mam

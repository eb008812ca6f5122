#include "register_request.h"

#include "core/data_form.h"
#include "core/namespaces.h"

namespace epode::inband {

namespace {

std::optional<Request> readForm(const Element& x) {
    const auto form = DataForm::read(x);
    if (!form || form->kind() != FormKind::Submit) return std::nullopt;
    if (!form->formType().empty() && form->formType() != registerNs) return std::nullopt;
    Request request;
    if (form->find("username")) request.username = form->text("username");
    if (form->find("password")) request.password = form->text("password");
    return request;
}

}  // namespace

std::optional<Request> readRequest(const Element& query) {
    if (query.child("remove")) {
        if (query.children().size() != 1) return std::nullopt;
        return Request{.isRemoval = true};
    }
    // A client that answers the form may leave the elements out (XEP-0077, 6).
    if (const Element* x = query.child("x", ns::dataForms)) return readForm(*x);
    Request request;
    if (const Element* username = query.child("username")) request.username = username->text();
    if (const Element* password = query.child("password")) request.password = password->text();
    return request;
}

Document makeForm(std::string_view instructions, std::string_view username) {
    Document query{"query", registerNs};
    query->addWithText("instructions", instructions);
    Element& name = query->add("username");
    if (!username.empty()) name.addText(username);
    query->add("password");
    DataForm form{FormKind::Form, registerNs};
    form.setTitle("Registration");
    form.setInstructions(instructions);
    FormField& field = form.add({.var = "username", .label = "Name", .isRequired = true});
    if (!username.empty()) field.values.emplace_back(username);
    form.add({.var = "password",
              .type = FieldType::TextPrivate,
              .label = "Password",
              .isRequired = true});
    form.addTo(*query);
    return query;
}

}  // namespace epode::inband

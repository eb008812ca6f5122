#include "subscription_options.h"

#include "core/time_format.h"
#include "errors.h"

namespace epode::pubsub {

namespace {

constexpr std::string_view deliver = "pubsub#deliver";
constexpr std::string_view expire = "pubsub#expire";

StanzaError invalid(std::string text) { return badRequest("invalid-options", std::move(text)); }

}  // namespace

DataForm optionsForm(const Subscription& subscription, FormKind kind) {
    DataForm form{kind, names::subscribeOptions};
    form.addBoolean(deliver, subscription.delivers, "Whether you want to be notified");
    FormField& field = form.addText(
        expire, subscription.expires ? formatDateTime(*subscription.expires) : std::string{},
        "When the subscription ends; empty for never");
    if (!subscription.expires) field.values.clear();
    return form;
}

std::optional<StanzaError> applyOptions(const Element* x, WallTime now,
                                        Subscription& subscription) {
    const auto form = x ? DataForm::read(*x) : std::nullopt;
    if (!form || form->kind() != FormKind::Submit)
        return invalid("The options are a submitted form (jabber:x:data).");
    if (form->find("FORM_TYPE") && form->formType() != names::subscribeOptions)
        return invalid("The form's FORM_TYPE must be " + std::string{names::subscribeOptions} +
                       ".");
    Subscription changed = subscription;
    if (form->find(deliver)) {
        const auto value = form->boolean(deliver);
        if (!value) return invalid("pubsub#deliver is true or false.");
        changed.delivers = *value;
    }
    if (form->find(expire)) {
        changed.expires.reset();
        if (const auto text = form->text(expire); !text.empty()) {
            const auto when = parseDateTime(text);
            if (!when || *when <= now) return invalid("pubsub#expire is a time in the future.");
            changed.expires = *when;
        }
    }
    subscription = changed;
    return std::nullopt;
}

}  // namespace epode::pubsub

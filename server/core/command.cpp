#include "core/command.h"

#include <stdexcept>
#include <utility>

namespace epode {

Argument optionArgument(std::string name, ArgumentKind kind, std::string help) {
    return {.name = std::move(name),
            .kind = kind,
            .presence = Presence::Optional,
            .form = Form::Option,
            .help = std::move(help)};
}

std::string_view toText(ArgumentKind kind) {
    switch (kind) {
        case ArgumentKind::Text:
            return "text";
        case ArgumentKind::Jid:
            return "address";
        case ArgumentKind::Host:
            return "domain";
        case ArgumentKind::Secret:
            return "secret";
        case ArgumentKind::Integer:
            return "whole number";
        case ArgumentKind::Size:
            return "size";
        case ArgumentKind::Duration:
            return "duration";
        case ArgumentKind::Choice:
            return "choice";
        case ArgumentKind::Flag:
            return "flag";
        case ArgumentKind::File:
            return "file";
    }
    return "";
}

std::string_view toText(Permission permission) {
    switch (permission) {
        case Permission::Watch:
            return "watch";
        case Permission::Operate:
            return "operate";
        case Permission::Administer:
            return "administer";
    }
    return "";
}

// A handler that asks for an argument which it never declared is a bug of the handler; the caller
// reads it as a failure, the server goes on.
template <typename T>
const T& CommandCall::get(std::string_view name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) {
        throw std::logic_error{"the argument " + std::string{name} + " was not given"};
    }
    const T* value = std::get_if<T>(&found->second);
    if (!value) {
        throw std::logic_error{"the argument " + std::string{name} + " is of another kind"};
    }
    return *value;
}

template const bool& CommandCall::get<bool>(std::string_view) const;
template const std::int64_t& CommandCall::get<std::int64_t>(std::string_view) const;
template const Bytes& CommandCall::get<Bytes>(std::string_view) const;
template const Duration& CommandCall::get<Duration>(std::string_view) const;
template const Jid& CommandCall::get<Jid>(std::string_view) const;
template const NamedText& CommandCall::get<NamedText>(std::string_view) const;
template const std::string& CommandCall::get<std::string>(std::string_view) const;

const std::vector<std::string>& CommandCall::texts(std::string_view name) const {
    static const std::vector<std::string> none;
    return has(name) ? get<std::vector<std::string>>(name) : none;
}

const std::vector<Jid>& CommandCall::jids(std::string_view name) const {
    static const std::vector<Jid> none;
    return has(name) ? get<std::vector<Jid>>(name) : none;
}

}  // namespace epode
